"""The stages of the DVC graph: their order, and one run of one stage in a child process.

DVC's index is only read here; whatever changes the workspace goes through the `dvc` command,
because `Repo.reproduce` is neither thread-safe nor stoppable. Paths are relative to the current
folder.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dvc.dvcfile import PROJECT_FILE
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import Stage as DvcStage

from flows.commands import GRACE_S, TAIL_LINES, CommandError, run_command

# Errors of DVC that may be gone a minute later: locks, remotes.
PASSING = re.compile(r"is busy|acquire lock|connect|time(d )?out", re.IGNORECASE)
# What DVC says before and after a stage's own lines.
DVC_LINES = ("ERROR: ", "WARNING: ", "Running stage ", "Stage '", "Updating lock file", "> ")

# What became of a stage: it ran, its results came from DVC's run cache, or it had not changed.
Fate = Literal["ran", "restored", "unchanged"]


class StageError(CommandError):
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
        plan = plan_repro(graph, _asked(repo, targets))
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


def _asked(repo: Repo, targets: Sequence[str] | None) -> list[DvcStage]:
    """The stages that targets name; those of dvc.yaml are not read again for it."""
    indexed = [] if targets else [one for one in repo.index.stages if one.relpath == PROJECT_FILE]
    found: list[DvcStage] = indexed or collect_stages(repo, targets or [PROJECT_FILE])
    return found


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
) -> Fate:
    """Bring one stage up to date; `log` gets each line of its output as it comes.

    The stage sees `environment` beside this process's own; `force` runs it, changed or not. It
    may take `seconds`.

    Any exception, also one from `log` or from outside (cancellation), stops the stage with all its
    processes: SIGTERM, and SIGKILL after `grace_s` seconds.

    Raises:
        StageError: DVC exited with another code than 0.
        CommandError: it took too long.
    """
    forced = ["--force"] if force else []
    lines = run_dvc(["repro", "--single-item", *forced, stage], log, grace_s, environment, seconds)
    if f"Running stage '{stage}':" in lines:
        return "ran"
    cached = f"Stage '{stage}' is cached"
    return "restored" if any(line.startswith(cached) for line in lines) else "unchanged"


def run_dvc(
    arguments: Sequence[str],
    log: Callable[[str], None],
    grace_s: float = GRACE_S,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> list[str]:
    """Run a `dvc` command as `run_stage` does; returns the lines that are DVC's own."""
    own: deque[str] = deque(maxlen=TAIL_LINES)
    dvc: list[str] = []

    def keep(line: str) -> None:
        (dvc if line.startswith(DVC_LINES) else own).append(line)
        log(line)

    command = ["dvc", "--wait-for-lock", *arguments]
    if run_command(command, keep, grace_s, environment, seconds):
        raise _failure(arguments[-1], list(own), dvc)
    return dvc


def _failure(asked: str, own: list[str], dvc: list[str]) -> StageError:
    """What the last stage itself says first; what DVC says only where no stage ran."""
    ran = [line for line in dvc if line.startswith("Running stage ")]
    if not ran:
        told = "\n".join([line for line in dvc if line.startswith("ERROR: ")] or own)
        kind = UnavailableError if PASSING.search(told) else StageError
        return kind(f"'{asked}' was not started: {told}")
    stage = ran[-1].removeprefix("Running stage ").strip("':")
    errors = [line for line in dvc if line.startswith("ERROR: ")] or ["dvc itself was killed"]
    cause = ([line for line in own if line.startswith("error: ")] or own or errors)[-1]
    told = "\n".join(own)
    return StageError(f"stage '{stage}' failed: {cause.removeprefix('error: ')}\n\n{told}")
