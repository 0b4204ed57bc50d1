"""A real Prefect server for this folder's tests, and a small DVC project for each of them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from benchmarks.running import free_port
from tests.conftest import ROOT

START_S = 400  # until the server answers, on a machine with other work

# Declared in neither graph order nor alphabetical order.
DVC_YAML = """
stages:
  third:
    cmd: cat b.txt > c.txt; echo made c
    deps: [b.txt]
    outs: [c.txt]
  first:
    cmd: cat source.txt > a.txt; echo made a
    deps: [source.txt]
    outs: [a.txt]
  second:
    cmd: bash second.sh
    deps: [a.txt, second.sh]
    outs: [b.txt]
"""


@dataclass(frozen=True)
class Prefect:
    """The `prefect` command, with a home and a server of its own."""

    env: dict[str, str]

    @property
    def api(self) -> str:
        return self.env["PREFECT_API_URL"]

    @property
    def port(self) -> str:
        return str(httpx.URL(self.api).port)

    def run(self, *arguments: str, folder: Path) -> None:
        subprocess.run(command(arguments), cwd=folder, env=self.env, check=True)

    @contextmanager
    def service(self, *arguments: str, folder: Path) -> Iterator[psutil.Process]:
        """The command in the background, ended with all that it started."""
        process = psutil.Popen(command(arguments), cwd=folder, env=self.env)
        try:
            yield process
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


def with_home(home: Path, **settings: str) -> Prefect:
    """Prefect with a home, a port and settings of its own, and none of the caller's."""
    own = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
    }
    return Prefect(without_prefect() | own | settings)


def without_prefect() -> dict[str, str]:
    """The environment, without what it says of another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


@pytest.fixture(scope="package")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """Prefect with its server answering, this process and those that it starts its clients.

    One for all tests, as each takes many seconds to start; it ends with this folder's tests.
    """
    home = tmp_path_factory.mktemp("prefect")
    prefect = with_home(home)
    with (
        prefect.service("server", "start", "--port", prefect.port, folder=home),
        temporary_settings({PREFECT_API_URL: prefect.api, PREFECT_HOME: home}),
    ):
        wait_until_healthy(prefect)
        yield prefect
        # What this process has yet to tell the server.
        APILogWorker.drain_all()
        EventsWorker.drain_all()


def wait_until_healthy(prefect: Prefect) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{prefect.api}/health").is_success:
                return
        time.sleep(0.2)
    raise AssertionError(f"the server at {prefect.api} does not answer")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a DVC project whose stages first -> second -> third never ran."""
    write_project(tmp_path, DVC_YAML)
    (tmp_path / "source.txt").write_text("source\n")
    (tmp_path / "second.sh").write_text("cat a.txt > b.txt\necho made b\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_project(folder: Path, dvc_yaml: str) -> None:
    """A DVC project without Git."""
    (folder / "dvc.yaml").write_text(dvc_yaml)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
