"""Our deployments on a real server with a real worker, as they are and with a schedule on."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.testing.cli import invoke_and_assert

from benchmarks.deployed import processes
from flows.alerts import mark_dead
from tests.conftest import ROOT
from tests.flows.conftest import Prefect, write_project

EVERY = timedelta(seconds=10)
RUN_S = 600  # until a scheduled run has begun, and another one ended
MISSED = timedelta(seconds=10)
# The first run of it takes ten minutes.
SCRIPT = "[ -e begun ] || { touch begun; sleep 600; }\necho made > made.txt\n"
DVC_YAML = "stages: {only: {cmd: bash only.sh, outs: [made.txt]}}"


@pytest.fixture(scope="module")
def client(prefect: Prefect) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(prefect.api) as client:
        yield client


@pytest.fixture(scope="module")
def checkout(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with our flow and our prefect.yaml, deployed as docs/scheduling.md says."""
    folder = tmp_path_factory.mktemp("checkout")
    write_project(folder, DVC_YAML)
    (folder / "only.sh").write_text(SCRIPT)
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


def test_a_cancelled_run_takes_its_stage_with_it(
    prefect: Prefect, client: SyncPrefectClient, checkout: Path
) -> None:
    pipeline = client.read_deployment_by_name("pipeline/pipeline")
    with prefect.service("worker", "start", "--pool", "eilev", folder=checkout):
        run = client.create_flow_run_from_deployment(pipeline.id).id
        wait_until((checkout / "begun").exists)
        client.set_flow_run_state(run, State(type=StateType.CANCELLING))
        wait_until(lambda: is_cancelled(client, run) and not processes(run))
    assert not (checkout / "made.txt").exists()


def is_cancelled(client: SyncPrefectClient, run: UUID) -> bool:
    return client.read_flow_run(run).state_name == "Cancelled"


def test_a_schedule_goes_on_after_a_run_was_killed_with_its_worker(
    prefect: Prefect, client: SyncPrefectClient, checkout: Path
) -> None:
    pipeline = client.read_deployment_by_name("pipeline/pipeline")
    (checkout / "begun").unlink(missing_ok=True)
    mark_dead(MISSED)
    client.create_deployment_schedules(pipeline.id, [(IntervalSchedule(interval=EVERY), True)])
    with prefect.service("worker", "start", "--pool", "eilev", folder=checkout) as worker:
        wait_until((checkout / "begun").exists)
        dead = running(client, pipeline.id)
        for process in [worker, *worker.children()]:  # the flow's is one of these
            process.kill()
    assert not (checkout / "made.txt").exists()
    wait_until(lambda: client.read_flow_run(dead).state_name == "Crashed")
    for automation in client.read_automations():  # for runs that are longer than its time
        client.delete_automation(automation.id)
    with prefect.service("worker", "start", "--pool", "eilev", folder=checkout):
        run = first_completed_run(client, pipeline.id)
    client.delete_deployment(pipeline.id)  # nothing is due while other tests run
    assert run.auto_scheduled
    assert (checkout / "made.txt").read_text() == "made\n"


def wait_until(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + RUN_S
    while not ready():
        assert time.monotonic() < deadline, "the captured output has the server's log"
        time.sleep(0.2)


def running(client: SyncPrefectClient, deployment: UUID) -> UUID:
    """A deployment's run that goes on."""
    every = client.read_flow_runs(limit=200)
    (run,) = (
        run.id for run in every if run.deployment_id == deployment and run.state_name == "Running"
    )
    return run


def first_completed_run(client: SyncPrefectClient, deployment: UUID) -> FlowRun:
    """A deployment's first run to end well; those due meanwhile are cancelled (prefect.yaml)."""
    deadline = time.monotonic() + RUN_S
    while time.monotonic() < deadline:
        for run in client.read_flow_runs(limit=200):
            if run.deployment_id == deployment and run.state_name == "Completed":
                return run
        time.sleep(0.5)
    raise AssertionError(
        f"no scheduled run completed in {RUN_S} s; the captured output has the server's log"
    )
