"""A PostgreSQL of its own for a test: Debian's binaries, an empty cluster, a port."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.running import free_port

START_S = 30
USER = "prefect"
PASSWORD = "as in no file"  # noqa: S105  (of a cluster that lives for a test)


def find_binaries() -> Path | None:
    """The newest installed, which Debian does not put on the path."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = max(installed, default=None, key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found.parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgres(binaries: Path) -> Iterator[dict[str, str]]:
    """Its address as Prefect's settings. It refuses root, so root starts it as `postgres`."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # where another user may go
    try:
        (folder / "password").write_text(PASSWORD)
        if user:
            shutil.chown(folder, user)
            shutil.chown(folder / "password", user)
        _initialize(binaries, folder, user)
        with _running(binaries, folder, user) as port:
            yield {
                "PREFECT_SERVER_DATABASE_DRIVER": "postgresql+asyncpg",
                "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
                "PREFECT_SERVER_DATABASE_PORT": str(port),
                "PREFECT_SERVER_DATABASE_NAME": "postgres",
                "PREFECT_SERVER_DATABASE_USER": USER,
                "PREFECT_SERVER_DATABASE_PASSWORD": PASSWORD,
            }
    finally:
        shutil.rmtree(folder)


def _initialize(binaries: Path, folder: Path, user: str | None) -> None:
    options = ["--auth", "scram-sha-256", "--username", USER, "--pwfile", str(folder / "password")]
    command = [str(binaries / "initdb"), "--no-sync", "--pgdata", str(folder / "data"), *options]
    subprocess.run(command, cwd=folder, user=user, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _running(binaries: Path, folder: Path, user: str | None) -> Iterator[int]:
    port = free_port()
    settings = {"listen_addresses": "127.0.0.1", "port": port, "fsync": "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *options]
    process = subprocess.Popen(command, cwd=folder, user=user)
    try:
        _wait_until_it_answers(binaries, port)
        yield port
    finally:
        process.send_signal(signal.SIGINT)  # without waiting for clients
        process.wait(timeout=START_S)


def _wait_until_it_answers(binaries: Path, port: int) -> None:
    command = [str(binaries / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
    deadline = time.monotonic() + START_S
    while subprocess.run(command, check=False).returncode:
        assert time.monotonic() < deadline, "PostgreSQL did not start"
        time.sleep(0.1)
