import json
import os
import threading
import time
from pathlib import Path

import psutil
import pytest
from dvc.exceptions import DvcException

from flows.stages import StageError, UnavailableError, look, run_stage

# Starts a grandchild, and neither of the two ends at SIGTERM.
STUBBORN = """
trap '' TERM
sleep 600 &
echo $$ $! > pids
echo started
wait
"""


def names(targets: list[str] | None = None) -> list[str]:
    return [stage.name for stage in look(targets)]


def ignore(line: str) -> None:
    """Log nothing."""


def write_second(project: Path, script: str) -> None:
    """Another second stage, with what the first one makes for it."""
    (project / "second.sh").write_text(script)
    (project / "a.txt").write_text("source\n")


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_order_is_that_of_the_graph(project: Path) -> None:
    assert names() == ["first", "second", "third"]


def test_targets_bring_their_dependencies(project: Path) -> None:
    assert names(["second"]) == ["first", "second"]


def test_stages_of_other_files_are_left_alone(project: Path) -> None:
    other = "experiments/ablations/dvc.yaml:more"
    (project / "experiments/ablations").mkdir(parents=True)
    (project / "experiments/ablations/dvc.yaml").write_text(
        "stages: {more: {cmd: touch d.txt, deps: [../../c.txt], outs: [d.txt]}}"
    )
    assert names() == ["first", "second", "third"]
    assert names([other])[-1] == other


def test_one_look_tells_what_changed(project: Path) -> None:
    for stage in names():
        assert run_stage(stage, ignore) == "ran"
    assert not any(stage.changed for stage in look())
    assert run_stage("second", ignore) == "unchanged"
    assert run_stage("second", ignore, force=True) == "ran"
    before = (project / "second.sh").read_text()
    (project / "second.sh").write_text("sort a.txt > b.txt\n")
    assert [stage.name for stage in look() if stage.changed] == ["second"]
    assert [stage.needs for stage in look()] == [set(), {"first"}, {"second"}]
    assert run_stage("second", ignore) == "ran"
    (project / "second.sh").write_text(before)
    assert run_stage("second", ignore) == "restored"


def test_unknown_target_is_named(project: Path) -> None:
    with pytest.raises(DvcException, match="nonsense"):
        names(["nonsense"])


def test_lines_are_logged_as_they_come(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages: {talk: {cmd: echo one; sleep 1; echo two}}")
    times: dict[str, float] = {}
    run_stage("talk", lambda line: times.setdefault(line, time.monotonic()))
    assert times["two"] - times["one"] > 0.9


def test_a_stage_sees_the_environment_that_it_is_given(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages: {talk: {cmd: echo $EILEV_TOLD}}")
    lines: list[str] = []
    run_stage("talk", lines.append, environment={"EILEV_TOLD": "so"})
    assert "so" in lines


def test_failure_begins_with_the_error_of_the_stage(project: Path) -> None:
    write_second(project, "echo working\necho 'error: x.mp4: broken' >&2\necho later\nexit 3\n")
    with pytest.raises(StageError) as failure:
        run_stage("second", ignore)
    lines = str(failure.value).splitlines()
    assert lines[0] == "stage 'second' failed: x.mp4: broken"
    assert sorted(lines[2:]) == ["error: x.mp4: broken", "later", "working"]  # nothing of DVC's
    assert not isinstance(failure.value, UnavailableError)
    assert not (project / "b.txt").exists()


def test_a_killed_dvc_is_told(project: Path) -> None:
    write_second(project, "kill -KILL $PPID\n")
    with pytest.raises(StageError, match="stage 'second' failed: dvc itself was killed"):
        run_stage("second", ignore)


def test_what_keeps_dvc_from_a_stage_is_told(project: Path) -> None:
    with pytest.raises(StageError, match=r"'third' was not started: ERROR: .*b.txt") as missing:
        run_stage("third", ignore)
    assert not isinstance(missing.value, UnavailableError)
    write_second(project, "sleep 600\n")
    busy = {"pid": os.getpid(), "cmd": "another run"}
    lock = {"write": {str(project / "b.txt"): busy}}
    (project / ".dvc/tmp").mkdir(exist_ok=True)
    (project / ".dvc/tmp/rwlock").write_text(json.dumps(lock))
    with pytest.raises(UnavailableError, match="is busy"):
        run_stage("second", ignore)


def test_interruption_ends_every_process_of_the_stage(project: Path) -> None:
    write_second(project, STUBBORN)

    def interrupt(line: str) -> None:
        if line == "started":
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_stage("second", interrupt, grace_s=0.5)
    assert time.monotonic() - start < 10
    pids = [int(pid) for pid in (project / "pids").read_text().split()]
    assert not any(alive(pid) for pid in pids)


def test_a_stage_that_ends_in_time_is_not_waited_for(project: Path) -> None:
    write_second(project, "echo started\nsleep 600 &\nwait\n")

    def interrupt(line: str) -> None:
        if line == "started":
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_stage("second", interrupt, grace_s=60)
    assert time.monotonic() - start < 30


def test_what_a_stage_leaves_behind_is_ended(project: Path) -> None:
    write_second(project, "sleep 600 &\necho $! > pids\ncat a.txt > b.txt\n")
    run = threading.Thread(target=run_stage, args=("second", ignore), daemon=True)
    run.start()
    run.join(timeout=30)
    assert not run.is_alive()
    assert not alive(int((project / "pids").read_text()))
