import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import Artifact, State, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort
from prefect.settings import get_current_settings

from flows.pipeline import accuracy_table, pipeline
from tests.conftest import ROOT
from tests.flows.test_stages import alive

SAVES_WHEN_STOPPED = """
trap 'echo saved > checkpoint; exit 1' TERM
sleep 600 &
echo $$ $! > pids
wait
"""

METRICS = {
    "novel": {"bursty": {"shots": {"0": {"action_accuracy": 0.1}, "8": {"action_accuracy": 0.5}}}},
    "data": {"burstiness": 1.0},
}
ROWS = [{"split": "novel", "condition": "bursty", "0": 0.1, "8": 0.5}]

pytestmark = pytest.mark.usefixtures("prefect")


@dataclass(frozen=True)
class Run:
    """What the server knows about a flow run."""

    name: str  # of the final state
    message: str
    tasks: list[TaskRun]  # in order of their start
    lines: list[str]  # of the log


def run(num_tasks: int, targets: list[str] | None = None) -> Run:
    """Run the flow in this process."""
    state = pipeline(targets, return_state=True)
    assert state.state_details.flow_run_id is not None
    return heard_of(state.state_details.flow_run_id, num_tasks)


def heard_of(run_id: UUID, num_tasks: int) -> Run:
    """A run that has ended; the server hears of its tasks and log lines a moment later."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state, tasks, lines = recorded(run_id)
        finals = [task for task in tasks if task.state and task.state.is_final()]
        ends = sum("Finished in state" in line for line in lines)
        if len(finals) == num_tasks and ends == num_tasks + 1:
            return Run(state.name or "", state.message or "", finals, lines)
        time.sleep(0.2)
    raise AssertionError(f"the server never heard of the end of the run: {tasks} {lines}")


def recorded(run_id: UUID) -> tuple[State, list[TaskRun], list[str]]:
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
        tasks = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])),
            sort=TaskRunSort.ID_DESC,
            limit=50,
        )
        log = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])))
    tasks.sort(key=lambda task: str(task.start_time))
    assert state is not None
    return state, tasks, [entry.message for entry in sorted(log, key=lambda entry: entry.timestamp)]


def test_runs_every_stage_once_then_nothing(project: Path) -> None:
    first = run(num_tasks=3)
    assert first.name == "Completed"
    assert [task.name for task in first.tasks] == ["first", "second", "third"]
    assert (project / "c.txt").read_text() == "source\n"
    assert "made b" in first.lines

    (project / "data" / "evaluate").mkdir(parents=True)
    (project / "data" / "evaluate" / "metrics.json").write_text(json.dumps(METRICS))
    second = run(num_tasks=2, targets=["second"])
    assert [task.name for task in second.tasks] == ["first", "second"]
    assert [task.state_name for task in second.tasks] == ["Completed"] * 2  # not "Cached"
    assert sum("didn't change, skipping" in line for line in second.lines) == 2
    # There were no metrics before.
    (artifact,) = metrics_tables()
    assert json.loads(str(artifact.data)) == accuracy_table(METRICS) == ROWS


def metrics_tables() -> list[Artifact]:
    with get_client(sync_client=True) as client:
        named = ArtifactFilter(key=ArtifactFilterKey(any_=["metrics"]))
        return client.read_artifacts(artifact_filter=named)


def test_half_a_lock_file_is_mended_and_told(project: Path) -> None:
    (project / "dvc.lock").write_text("schema: '2.0'\nstages:\n  first:\n    cm")
    mended = run(num_tasks=1, targets=["first"])
    assert mended.name == "Completed"
    assert [line for line in mended.lines if line.startswith("dvc.lock: broken")]


def test_failed_stage_fails_the_run_and_stops_it(project: Path) -> None:
    """As the command tells it, and as the server does."""
    (project / "second.sh").write_text("echo the culprit is x.mp4\nexit 3\n")
    result = subprocess.run(
        [sys.executable, "-m", "flows.pipeline"],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "error: stage 'second' failed" in result.stderr
    failed = heard_of(newest_run(), num_tasks=2)
    assert failed.name == "Failed"
    assert "'second' failed" in failed.message
    assert "the culprit is x.mp4" in failed.message
    assert [task.name for task in failed.tasks] == ["first", "second"]
    assert (project / "a.txt").exists()
    assert not (project / "c.txt").exists()


def newest_run() -> UUID:
    with get_client(sync_client=True) as client:
        (newest,) = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)
    return newest.id


@pytest.fixture
def flow_process(project: Path) -> Iterator[subprocess.Popen[str]]:
    """`python -m flows.pipeline` in a process of its own, in the middle of a stage."""
    (project / "dvc.yaml").write_text("stages: {second: {cmd: bash second.sh}}")
    (project / "second.sh").write_text(SAVES_WHEN_STOPPED)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline"],
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (project / "pids").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_stage_ends_with_the_flow(
    project: Path, flow_process: subprocess.Popen[str], stop: signal.Signals
) -> None:
    flow_process.send_signal(stop)
    assert flow_process.wait(timeout=30) != 0
    pids = [int(pid) for pid in (project / "pids").read_text().split()]
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)
    assert (project / "checkpoint").read_text() == "saved\n"


def child_environment() -> dict[str, str]:
    """Environment of a child that talks to the temporary server."""
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return os.environ | settings | {"PYTHONPATH": str(ROOT)}
