"""The stages of the DVC graph: their order, and one run of one stage in a child process.

DVC's index is only read here; whatever changes the workspace goes through the `dvc` command,
because `Repo.reproduce` is neither thread-safe nor stoppable. Paths are relative to the current
folder.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvc.dvcfile import PROJECT_FILE
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Seconds that a stopped stage has to save a checkpoint; Prefect kills the flow after 30.
GRACE_S = 20.0
# Seconds between refreshes of a progress bar: each becomes a line in Prefect's database.
PROGRESS_S = 10
TAIL_LINES = 20


class StageError(RuntimeError):
    """A stage failed; the message ends with its last lines of output."""


def stage_order(targets: Sequence[str] | None = None) -> list[str]:
    """Stages that `dvc repro TARGETS` would visit, in its order: dependencies come first.

    Args:
        targets: stage names or dvc.yaml files; None stands for the dvc.yaml of this folder.

    Raises:
        DvcException: no DVC project here, an unknown target, or a graph that is not acyclic.
    """
    with Repo() as repo:
        wanted = collect_stages(repo, targets or [PROJECT_FILE])
        plan = plan_repro(get_active_graph(repo.index.graph), wanted)
        return [stage.addressing for stage in plan]


def run_stage(
    stage: str,
    log: Callable[[str], None],
    grace_s: float = GRACE_S,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Bring one stage up to date; `log` gets each line of its output as it comes.

    The stage sees `environment` beside this process's own.

    Any exception, also one from `log` or from outside (cancellation), stops the stage with all its
    processes: SIGTERM, and SIGKILL after `grace_s` seconds.

    Raises:
        StageError: DVC exited with another code than 0.
    """
    dvc = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", stage]
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with _supervised(dvc, grace_s, environment or {}) as process:
        for line in process.stdout or ():
            if text := line.rstrip():
                tail.append(text)
                log(text)
    if process.returncode:
        lines = "\n".join(tail)
        raise StageError(
            f"stage '{stage}' failed (dvc exited with {process.returncode}); last lines:\n{lines}"
        )


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


def _environment() -> dict[str, str]:
    """Environment in which `python` and the shell of a stage do not depend on who started us."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {
        "PATH": path,
        "SHELL": "/bin/bash",  # DVC runs a stage's command with $SHELL
        "PYTHONUNBUFFERED": "1",
        "TQDM_MININTERVAL": str(PROGRESS_S),
    }


def run_command(
    command: Sequence[str], log: Callable[[str], None], grace_s: float = GRACE_S
) -> int:
    """Run another command than a stage's, likewise; returns its exit status."""
    with _supervised([sys.executable, "-m", *command], grace_s, {}) as process:
        for line in process.stdout or ():
            if text := line.rstrip():
                log(text)
    return process.returncode
