"""A Prefect server, a worker and the report's pages on this machine, in the background.

    python -m flows.local up PORT REPORT_PORT
    python -m flows.local down

Logs and process ids lie in .prefect/, which Git ignores, and the database, unless
PREFECT_SERVER_DATABASE_CONNECTION_URL names a PostgreSQL (docs/teams.md).
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from eilev.paths import REPORT, VALIDATION
from flows.records import REPORT_URL
from flows.registration import POOL

FOLDER = Path(".prefect")
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
START_S = 600.0
# A worker ends its runs before itself, and a run its stage (flows.commands.GRACE_S).
STOP_S = 60.0
# Seconds between a run's signs of life (the least that Prefect takes); see flows.alerts.
HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
HEARTBEAT_S = "30"
# How `make` calls the ports.
PORTS = {"server": "PREFECT_PORT", "report": "REPORT_PORT"}


class LocalError(RuntimeError):
    """Something did not start, or was not registered."""


def up(port: int, report_port: int) -> str:
    """Start what does not run yet, register all deployments, and return the server's address.

    Args:
        port: of Prefect's server.
        report_port: where the report is shown.

    Raises:
        LocalError: see above.
    """
    environment = _environment(port, report_port)
    url = f"http://127.0.0.1:{port}"
    _serve("server", ["prefect", "server", "start", "--port", str(port)], port, environment)
    _wait_until(lambda: _answers(url), "server")
    pages = ["http.server", "--bind", "127.0.0.1", "--directory", str(_pages()), str(report_port)]
    _serve("report", pages, report_port, environment)
    _register(environment)
    if not _running("worker"):
        start = datetime.now(UTC)
        _start("worker", ["prefect", "worker", "start", "--pool", POOL], environment)
        _wait_until(lambda: _heard_since(start, url), "worker")
    return url


def _serve(name: str, command: list[str], port: int, environment: dict[str, str]) -> None:
    """Start what listens at a port, unless it runs there."""
    if _running(name):
        if not _taken(port):
            raise LocalError(f"a {name} runs, but not on port {port}: `make prefect-down` first")
        return
    if _taken(port):
        raise LocalError(f"port {port} is another server's: make prefect-up {PORTS[name]}=...")
    _start(name, command, environment)
    _wait_until(lambda: _taken(port), name)


def down() -> None:
    """Stop the worker with its runs, then the rest: what `up` started, and nothing else."""
    for name in ("worker", "report", "server"):
        if (process := _running(name)) is not None:
            family = [process, *process.children(recursive=True)]
            process.terminate()
            for left in psutil.wait_procs(family, timeout=STOP_S)[1]:
                left.kill()
        _pid_file(name).unlink(missing_ok=True)


def _pages() -> Path:
    """A folder with the report and what it links to, and nothing else of the data."""
    folder = FOLDER / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    for shown in (REPORT, VALIDATION.parent):
        link = folder / shown.name
        link.unlink(missing_ok=True)
        link.symlink_to(shown.absolute())
    return folder


def _environment(port: int, report_port: int) -> dict[str, str]:
    """Where the server keeps its database, and where its clients find it and the report."""
    own = {
        "PREFECT_HOME": str(FOLDER.absolute() / "home"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        # In memory, a restart of the server would end every run that holds its deployment's slot.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    usual = {HEARTBEAT: HEARTBEAT_S, REPORT_URL: f"http://127.0.0.1:{report_port}/{REPORT.name}/"}
    return usual | os.environ | own


def _start(name: str, command: list[str], environment: dict[str, str]) -> None:
    """Start a module that outlives this process and its terminal."""
    FOLDER.mkdir(exist_ok=True)
    with _log(name).open("a") as log:
        process = psutil.Popen(
            [sys.executable, "-m", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _pid_file(name).write_text(f"{process.pid} {process.create_time()}\n")


def _running(name: str) -> psutil.Process | None:
    """The process that `up` has started, unless it has ended and its number is another's."""
    try:
        pid, created = _pid_file(name).read_text().split()
        process = psutil.Process(int(pid))
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process if alive and process.create_time() == float(created) else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def _wait_until(ready: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if _running(name) is None or time.monotonic() > deadline:
            raise LocalError(f"the {name} did not start; {_log(name)} says why")
        time.sleep(0.3)


def _taken(port: int) -> bool:
    """Whether something listens there, however long it takes to answer."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        health = httpx.get(f"{url}/api/health")
    except httpx.TransportError:
        return False
    return bool(health.is_success)


def _heard_since(start: datetime, url: str) -> bool:
    """Whether a worker has come to the pool."""
    name, colon, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    found = httpx.post(
        f"{url}/api/work_pools/{POOL}/workers/filter",
        json={},
        auth=(name, password) if colon else None,
        timeout=START_S,
    )
    workers = found.raise_for_status().json()
    return any(datetime.fromisoformat(one["last_heartbeat_time"]) >= start for one in workers)


def _register(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "flows.registration"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{done.stdout}{done.stderr}".rstrip().removeprefix("error: "))


def _pid_file(name: str) -> Path:
    return FOLDER / f"{name}.pid"


def _log(name: str) -> Path:
    return FOLDER / f"{name}.log"


def main() -> None:
    """Start or stop all of it."""
    match sys.argv[1:]:
        case ["up", port, report_port]:
            try:
                url = up(int(port), int(report_port))
            except LocalError as error:
                sys.exit(f"error: {error}")
            print(f"Runs, logs, artifacts: {url}\nFor `prefect`: PREFECT_API_URL={url}/api")  # noqa: T201
        case ["down"]:
            down()
        case _:
            sys.exit("usage: python -m flows.local up PORT REPORT_PORT | down")


if __name__ == "__main__":
    main()
