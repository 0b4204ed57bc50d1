"""`make prefect-up` and `make prefect-down`, with a real server and worker of their own."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient

from benchmarks.running import free_port
from flows.alerts import DEAD, UNBEGUN
from tests.conftest import ROOT
from tests.flows.conftest import without_prefect, write_project

DVC_YAML = "stages: {only: {cmd: echo made > made.txt, outs: [made.txt]}}"
# One of prefect.yaml's takes as long to register as all of them.
DEPLOYMENTS = """
deployments:
  - {name: pipeline, entrypoint: "flows/pipeline.py:pipeline", work_pool: {name: eilev}}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    write_project(tmp_path, DVC_YAML)
    (tmp_path / "flows").symlink_to(ROOT / "flows")
    (tmp_path / "prefect.yaml").write_text(DEPLOYMENTS)
    return tmp_path


def local(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.local", *arguments],
        cwd=folder,
        env=without_prefect() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_server_and_worker_start_once_and_end_with_all_that_is_theirs(checkout: Path) -> None:
    port, report_port = free_port(), free_port()
    report = checkout / "data" / "report"
    report.mkdir(parents=True)
    (report / "index.html").write_text("the report")
    up = local(checkout, "up", str(port), str(report_port))
    try:
        assert up.returncode == 0, up.stderr
        started = [pid(checkout, name) for name in ("server", "report", "worker")]
        with SyncPrefectClient(f"http://127.0.0.1:{port}/api") as client:
            assert client.read_deployment_by_name("pipeline/pipeline").work_pool_name == "eilev"
            assert {one.name for one in client.read_automations()} == {DEAD, UNBEGUN}
        assert httpx.get(f"http://127.0.0.1:{report_port}/report/").text == "the report"
        other = local(checkout, "up", str(free_port()), str(report_port))
        assert "a server runs, but not on port" in other.stderr
    finally:
        local(checkout, "down")
    assert not any(psutil.pid_exists(one) for one in started)
    assert not list((checkout / ".prefect").glob("*.pid"))


def test_the_port_of_another_server_is_refused(checkout: Path) -> None:
    """Also where that one is too busy to answer, as here."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = local(checkout, "up", str(port), str(free_port()))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: port {port} is another server's")
    assert not (checkout / ".prefect").exists()


def pid(checkout: Path, name: str) -> int:
    return int((checkout / ".prefect" / f"{name}.pid").read_text().split()[0])
