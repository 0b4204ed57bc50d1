"""Our deployments on a real server with a real worker, as they are and with a schedule on."""

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.testing.cli import invoke_and_assert

from tests.conftest import ROOT
from tests.flows.conftest import Prefect, write_project

EVERY = timedelta(seconds=10)
RUN_S = 240  # until a scheduled run has ended
DVC_YAML = "stages: {only: {cmd: echo made > made.txt, outs: [made.txt]}}"


@pytest.fixture(scope="module")
def client(prefect: Prefect) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(prefect.api) as client:
        yield client


@pytest.fixture(scope="module")
def checkout(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with our flow and our prefect.yaml, deployed as docs/scheduling.md says."""
    folder = tmp_path_factory.mktemp("checkout")
    write_project(folder, DVC_YAML)
    (folder / "flows").symlink_to(ROOT / "flows")
    shutil.copy(ROOT / "prefect.yaml", folder)
    invoke_and_assert(["work-pool", "create", "--type", "process", "eilev"], expected_code=0)
    prefect.run("deploy", "--all", folder=folder)
    return folder


def test_prefect_yaml_deploys(client: SyncPrefectClient, checkout: Path) -> None:
    pipeline = client.read_deployment_by_name("pipeline/pipeline")
    ablations = client.read_deployment_by_name("pipeline/ablations")
    assert ablations.parameters == {"targets": ["experiments/ablations/dvc.yaml"]}
    assert [schedule.schedule.timezone for schedule in pipeline.schedules] == ["UTC"]
    assert client.read_deployment_by_name("refresh/refresh").parameters["stage_seconds"] == 43200
    step = "prefect.deployments.steps.set_working_directory"
    assert pipeline.pull_steps == [{step: {"directory": str(checkout)}}]
    assert pipeline.global_concurrency_limit is not None
    assert pipeline.global_concurrency_limit.limit == 1


def test_a_schedule_starts_runs_by_itself(
    prefect: Prefect, client: SyncPrefectClient, checkout: Path
) -> None:
    pipeline = client.read_deployment_by_name("pipeline/pipeline")
    client.create_deployment_schedules(pipeline.id, [(IntervalSchedule(interval=EVERY), True)])
    with prefect.service("worker", "start", "--pool", "eilev", folder=checkout):
        run = first_ended_run(client, pipeline.id)
    client.delete_deployment(pipeline.id)  # nothing is due while other tests run
    assert run.auto_scheduled
    assert run.state_name == "Completed", run.state
    assert (checkout / "made.txt").read_text() == "made\n"


def first_ended_run(client: SyncPrefectClient, deployment: UUID) -> FlowRun:
    """A deployment's first run to end; those due meanwhile are cancelled (prefect.yaml)."""
    deadline = time.monotonic() + RUN_S
    while time.monotonic() < deadline:
        for run in client.read_flow_runs(limit=200):
            mine = run.deployment_id == deployment
            if mine and run.end_time and run.state_name != "Cancelled":
                return run
        time.sleep(0.5)
    raise AssertionError(
        f"no scheduled run ended in {RUN_S} s; the captured output has the server's log"
    )
