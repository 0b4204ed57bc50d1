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
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort, TaskRunSort
from prefect.exceptions import ParameterTypeError
from prefect.settings import get_current_settings

from flows.pipeline import pipeline
from flows.records import REPORT_URL, accuracy_table
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
        if len(finals) == num_tasks + 1 and ends == num_tasks + 2:  # the look, and the flow
            return Run(state.name or "", state.message or "", finals[1:], lines)
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


def test_runs_every_stage_once_then_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(num_tasks=3)
    assert first.name == "Completed"
    assert [task.name for task in first.tasks] == ["first", "second", "third"]
    assert (project / "c.txt").read_text() == "source\n"
    assert "made b" in first.lines

    (project / "data" / "evaluate").mkdir(parents=True)
    (project / "data" / "evaluate" / "metrics.json").write_text(json.dumps(METRICS))
    second = run(num_tasks=2, targets=["second"])
    assert [task.name for task in second.tasks] == ["first", "second"]
    assert [task.state_name for task in second.tasks] == ["Cached"] * 2
    (project / "second.sh").write_text("cat a.txt a.txt > b.txt\n")
    third = run(num_tasks=3)
    assert [task.state_name for task in third.tasks] == ["Cached", "Completed", "Completed"]
    # There were no metrics before, and the third run's are newer.
    artifact, _ = artifacts("metrics")
    assert json.loads(str(artifact.data)) == accuracy_table(METRICS) == ROWS

    monkeypatch.setenv(REPORT_URL, "http://127.0.0.1:8001/report/")
    run(num_tasks=1, targets=["first"])
    assert artifacts("report") == []  # there is none yet
    (project / "data" / "report").mkdir()
    (project / "data" / "report" / "index.html").touch()
    run(num_tasks=1, targets=["first"])
    assert [link.data for link in artifacts("report")] == [
        "[The report](http://127.0.0.1:8001/report/)"
    ]


def artifacts(key: str) -> list[Artifact]:
    """What runs have left under a key, the newest first."""
    with get_client(sync_client=True) as client:
        named = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        return client.read_artifacts(artifact_filter=named, sort=ArtifactSort.CREATED_DESC)


def test_stage_that_takes_too_long_is_ended(project: Path) -> None:
    (project / "second.sh").write_text(SAVES_WHEN_STOPPED)
    state = pipeline(["second"], stage_seconds=8, return_state=True)
    assert "took longer than 8.0 seconds" in str(state.message)
    assert (project / "checkpoint").read_text() == "saved\n"
    assert not any(alive(int(pid)) for pid in (project / "pids").read_text().split())


def test_stages_and_progress_are_shown(project: Path) -> None:
    bar = "train, binding:  25%|##5       | 3/12 [00:10<00:30,  3.3s/step, loss=0.712]"
    (project / "second.sh").write_text(f"echo '{bar}'\ncat a.txt > b.txt\necho error: no\nexit 1\n")
    assert "StageError: stage 'second' failed: no\n" in run(num_tasks=2).message
    rows = json.loads(str(artifacts("stages")[0].data))
    assert [(row["stage"], row["became"]) for row in rows] == [
        ("first", "ran"),
        ("second", "failed"),
    ]
    assert rows[0]["outputs"].startswith("a.txt ")
    progress = artifacts("progress-second")[0]
    assert progress.data == 25
    assert progress.description == "train, binding: 3 of 12, 3.3s/step, 00:30 left, loss=0.712"


def test_bad_parameters_are_refused_by_the_flow(project: Path) -> None:
    with pytest.raises(ParameterTypeError, match="stage_seconds"):
        pipeline(stage_seconds=-1)
    assert not (project / "a.txt").exists()


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
