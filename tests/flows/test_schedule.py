"""A schedule starts runs by itself: a real server, a real worker, a deployment like ours."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from tests.flows.test_pipeline import ROOT

EVERY_S = 10
START_S = 120  # until the server answers
RUN_S = 120  # until a scheduled run has ended


@dataclass(frozen=True)
class Prefect:
    """The `prefect` command in a folder, with a home and a server of its own."""

    folder: Path
    env: dict[str, str]

    @property
    def api(self) -> str:
        return self.env["PREFECT_API_URL"]

    def run(self, *arguments: str) -> None:
        subprocess.run(command(arguments), cwd=self.folder, env=self.env, check=True)

    @contextmanager
    def service(self, *arguments: str) -> Iterator[None]:
        """The command in the background, ended with all that it started."""
        process = psutil.Popen(command(arguments), cwd=self.folder, env=self.env)
        try:
            yield
        finally:
            end(process)


def command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "prefect", "--no-prompt", *arguments]


def end(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    for member in family:
        member.terminate()
    for member in psutil.wait_procs(family, timeout=20)[1]:
        member.kill()
    psutil.wait_procs(family, timeout=20)


@pytest.fixture
def served(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """Prefect in the folder of the small project, its server answering."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    prefect = Prefect(project, others | own)
    with prefect.service("server", "start", "--port", str(port)):
        wait_until_healthy(prefect)
        yield prefect


def wait_until_healthy(prefect: Prefect) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{prefect.api}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"the server at {prefect.api} does not answer")


def write_prefect_yaml(folder: Path) -> None:
    """The repository's weekly deployment, due every few seconds."""
    content = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    weekly = content["deployments"][0] | {"schedules": [{"interval": EVERY_S}]}
    (folder / "prefect.yaml").write_text(yaml.safe_dump(content | {"deployments": [weekly]}))
    (folder / "flows").symlink_to(ROOT / "flows")


def first_ended_run(prefect: Prefect) -> FlowRun:
    """The first run to end; those due while it runs are cancelled, as prefect.yaml has it."""
    deadline = time.monotonic() + RUN_S
    with SyncPrefectClient(prefect.api) as client:
        while time.monotonic() < deadline:
            for run in client.read_flow_runs(limit=200):
                if run.end_time and run.state_name != "Cancelled":
                    return run
            time.sleep(0.5)
    raise AssertionError(
        f"no scheduled run ended in {RUN_S} s; the captured output has the server's log"
    )


def test_a_schedule_starts_runs_by_itself(project: Path, served: Prefect) -> None:
    write_prefect_yaml(project)
    served.run("work-pool", "create", "--type", "process", "eilev")
    served.run("deploy", "--all")
    with served.service("worker", "start", "--pool", "eilev"):
        run = first_ended_run(served)
        assert run.auto_scheduled
        assert run.state_name == "Completed", run.state
        assert (project / "c.txt").read_text() == "source\n"
