"""What a team has: Prefect's server on a real PostgreSQL, and two workers of one work pool."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun

from flows.local import LEASES
from tests.conftest import ROOT
from tests.flows.conftest import Prefect, wait_until_healthy, with_home, write_project
from tests.postgres import find_binaries, postgres

WAIT_S = 400
HOUR_S = 3600
AUTH = "team:a password"
# Runs until the file is there, wherever the run's folder is.
DVC_YAML = """
stages:
  only:
    cmd: until [ -e {go} ]; do sleep 0.1; done; echo made > made.txt
    outs: [made.txt]
"""
BINARIES = find_binaries()

pytestmark = [
    pytest.mark.skipif(
        BINARIES is None, reason="PostgreSQL is not installed (Debian: apt-get install postgresql)"
    ),
    # A minute on two idle cores: ten processes of Prefect start, one after the other.
    pytest.mark.timeout(1800),
]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Prefect]:
    """Prefect with its database in PostgreSQL; the server is the test's to start."""
    assert BINARIES is not None
    # Workers look for runs every ten seconds by default.
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "0.5"}
    with postgres(BINARIES) as database:
        auth = {"PREFECT_SERVER_API_AUTH_STRING": AUTH, "PREFECT_API_AUTH_STRING": AUTH}
        leases = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES}
        yield with_home(tmp_path / "home", **database, **auth, **leases, **quick)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Our flows and prefect.yaml over two pipelines that do not end before `go` is there."""
    folder = tmp_path / "checkout"
    (folder / "experiments/ablations").mkdir(parents=True)
    yaml = DVC_YAML.format(go=folder / "go")
    write_project(folder, yaml)
    (folder / "experiments/ablations/dvc.yaml").write_text(yaml)
    (folder / "flows").symlink_to(ROOT / "flows")
    shutil.copy(ROOT / "prefect.yaml", folder)
    return folder


@contextmanager
def serving(team: Prefect, folder: Path) -> Iterator[SyncPrefectClient]:
    with team.service("server", "start", "--port", team.port, folder=folder):
        wait_until_healthy(team)
        with SyncPrefectClient(team.api, auth_string=AUTH) as client:
            yield client


@contextmanager
def working(team: Prefect, name: str, folder: Path) -> Iterator[None]:
    """A worker that takes one run at a time, so that the other one gets the next."""
    with team.service(
        "worker", "start", "--pool", "eilev", "--name", name, "--limit", "1", folder=folder
    ):
        yield


def start(client: SyncPrefectClient, deployment: str) -> UUID:
    found = client.read_deployment_by_name(deployment)
    return client.create_flow_run_from_deployment(found.id).id


def wait_for(client: SyncPrefectClient, run: UUID, state: str) -> FlowRun:
    deadline = time.monotonic() + WAIT_S
    while (found := client.read_flow_run(run)).state_name != state:
        assert time.monotonic() < deadline, found.state
        assert found.state is None or not found.state.is_final(), found.state
        time.sleep(0.2)
    return found


def renews(client: SyncPrefectClient, run: UUID) -> bool:
    """Whether the server knows a run's lease; a run whose lease it does not know is ended."""
    state = client.read_flow_run(run).state
    assert state is not None
    lease = state.state_details.deployment_concurrency_lease_id
    assert lease is not None
    return client.renew_concurrency_lease(lease, lease_duration=HOUR_S).is_success


def workers_of(client: SyncPrefectClient, run: UUID) -> set[str]:
    """Those that took a run, by what they told the server."""
    log = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
    told = [re.match(r"Worker '(\w+)' submitting", entry.message) for entry in log]
    return {found[1] for found in told if found}


def test_two_workers_share_runs_and_a_restarted_server_loses_none(
    team: Prefect, checkout: Path
) -> None:
    with ExitStack() as workers:
        with serving(team, checkout) as client:
            register = [sys.executable, "-m", "flows.registration"]
            subprocess.run(register, cwd=checkout, env=team.env, check=True)
            workers.enter_context(working(team, "first", checkout))
            running = start(client, "pipeline/pipeline")
            wait_for(client, running, "Running")
            assert renews(client, running)  # for longer than a busy machine takes to restart
            overlapping = start(client, "pipeline/pipeline")
            other = start(client, "pipeline/ablations")
        with serving(team, checkout) as client:
            workers.enter_context(working(team, "second", checkout))
            # The slot of the run that went on meanwhile is still taken, and still its own.
            wait_for(client, overlapping, "Cancelled")
            assert renews(client, running)
            wait_for(client, other, "Running")
            waiting = start(client, "pipeline/ablations")
            (checkout / "go").touch()
            ended = [wait_for(client, run, "Completed") for run in (running, other, waiting)]
            took = [workers_of(client, run.id) for run in ended]
            assert took[:2] == [{"first"}, {"second"}]
            asked = [run for run in client.read_flow_runs(limit=200) if not run.auto_scheduled]
            assert len(asked) == 4
