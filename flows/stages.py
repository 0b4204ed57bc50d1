"""The stages of the DVC graph: their order, and one run of one stage in a child process.

DVC's index is only read here; whatever changes the workspace goes through the `dvc` command,
because `Repo.reproduce` is neither thread-safe nor stoppable. Paths are relative to the current
folder.
"""

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import TIMEOUT_MAX, Event, Timer

from dvc.dvcfile import PROJECT_FILE
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Seconds that a stopped stage has to save a checkpoint; Prefect kills the flow after 30.
GRACE_S = 20.0
# Seconds between refreshes of a progress bar: each becomes a line in Prefect's database.
PROGRESS_S = 10
TAIL_LINES = 20


# Errors of DVC that may be gone a minute later: locks, remotes.
PASSING = re.compile(r"is busy|acquire lock|connect|time(d )?out", re.IGNORECASE)
# What DVC says before and after a stage's own lines.
DVC_LINES = ("ERROR: ", "WARNING: ", "Running stage ", "Updating lock file", "> ")


class StageError(RuntimeError):
    """A stage failed; the message begins with its own error."""


class UnavailableError(StageError):
    """DVC did not come to the stage: a lock was taken, or files were not to be had."""


@dataclass(frozen=True)
class Stage:
    """A stage as it lies here, before a run.

    Attributes:
        name: how `dvc repro` calls it.
        needs: the stages whose results it reads.
        changed: whether something of it is another than when it last ran.
    """

    name: str
    needs: frozenset[str]
    changed: bool


def look(targets: Sequence[str] | None = None) -> list[Stage]:
    """Stages that `dvc repro TARGETS` would visit, in its order: dependencies come first.

    One look in this process for all of them, as each `dvc` process takes half a second to start.

    Args:
        targets: stage names or dvc.yaml files; None stands for the dvc.yaml of this folder.

    Raises:
        LockError: another `dvc` works on the same stages.
        DvcException: no DVC project here, an unknown target, or a graph that is not acyclic.
    """
    with Repo(_wait_for_lock=True) as repo:
        graph = get_active_graph(repo.index.graph)
        plan = plan_repro(graph, collect_stages(repo, targets or [PROJECT_FILE]))
        with lock_repo(repo):  # as `Repo.status`, which would read all files anew for each stage
            changed = [stage for stage in plan if stage.status()]
        return [
            Stage(
                stage.addressing,
                frozenset(need.addressing for need in graph.successors(stage)),
                stage in changed,
            )
            for stage in plan
        ]


def imports() -> list[str]:
    """The .dvc files of what was imported from elsewhere, which `dvc update` fetches anew."""
    with Repo(_wait_for_lock=True) as repo:
        return [stage.relpath for stage in repo.index.stages if stage.is_import]


def run_stage(
    stage: str,
    log: Callable[[str], None],
    grace_s: float = GRACE_S,
    environment: Mapping[str, str] | None = None,
    *,
    force: bool = False,
    seconds: float | None = None,
) -> bool:
    """Bring one stage up to date; `log` gets each line of its output as it comes.

    The stage sees `environment` beside this process's own; `force` runs it, changed or not. It
    may take `seconds`.

    Any exception, also one from `log` or from outside (cancellation), stops the stage with all its
    processes: SIGTERM, and SIGKILL after `grace_s` seconds.

    Returns:
        Whether the stage ran.

    Raises:
        StageError: DVC exited with another code than 0, or it took too long.
    """
    forced = ["--force"] if force else []
    lines = run_dvc(["repro", "--single-item", *forced, stage], log, grace_s, environment, seconds)
    return f"Running stage '{stage}':" in lines


def run_dvc(
    arguments: Sequence[str],
    log: Callable[[str], None],
    grace_s: float = GRACE_S,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> list[str]:
    """Run a `dvc` command as `run_stage` does; returns the last lines of its output and DVC's."""
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    dvc: list[str] = []
    with (
        _supervised(command, grace_s, environment or {}) as process,
        _limit(process, seconds) as over,
    ):
        for line in process.stdout or ():
            if text := line.rstrip():
                (dvc if text.startswith(DVC_LINES) else tail).append(text)
                log(text)
    if over.is_set():
        raise StageError(f"'{arguments[-1]}' took longer than {seconds} seconds and was ended")
    if process.returncode:
        raise _failure(arguments[-1], list(tail), dvc)
    return dvc


def _failure(stage: str, own: list[str], dvc: list[str]) -> StageError:
    """What the stage itself says first; what DVC says only where the stage did not run."""
    if not any(line.startswith("Running stage ") for line in dvc):
        told = "\n".join([line for line in dvc if line.startswith("ERROR: ")] or own)
        kind = UnavailableError if PASSING.search(told) else StageError
        return kind(f"'{stage}' was not started: {told}")
    cause = ([line for line in own if line.startswith("error: ")] or own or dvc)[-1]
    told = "\n".join(own)
    return StageError(f"stage '{stage}' failed: {cause.removeprefix('error: ')}\n\n{told}")


@contextmanager
def _supervised(
    command: list[str], grace_s: float, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run `command` under the supervisor for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, str(SUPERVISOR), str(grace_s), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**_environment(), **environment},
        # Ctrl-C in a terminal reaches the flow only, which then stops the child in order.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.communicate()  # closes the pipe (the signal to stop), drains the output, waits


@contextmanager
def _limit(process: subprocess.Popen[str], seconds: float | None) -> Iterator[Event]:
    """Have the supervisor end its command after `seconds`, which sets the event.

    Prefect's own time limit can't interrupt a task that waits for a line of output in a thread.
    """
    over = Event()

    def end() -> None:
        over.set()
        if process.stdin is not None:
            process.stdin.close()
            process.stdin = None  # else it would be flushed

    timer = Timer(TIMEOUT_MAX if seconds is None else seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()


def _environment() -> dict[str, str]:
    """Environment in which `python` and the shell of a stage do not depend on who started us."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {
        "PATH": path,
        "SHELL": "/bin/bash",  # DVC runs a stage's command with $SHELL
        "PYTHONUNBUFFERED": "1",
        "TQDM_MININTERVAL": str(PROGRESS_S),
    }
