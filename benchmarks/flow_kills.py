"""Kills and cancels runs of a deployment and looks at what the next run makes of it.

Run `python -m benchmarks.flow_kills` from the root: a table, and a JSON object in the last line. In
a copy of this tree, with the small pipeline of benchmarks.small, `flows.local` starts a Prefect
server, a worker and the deployments, as `make prefect-up` does. A trial takes a stage's results
away, starts a run of pipeline/pipeline, and at a random moment cancels it, or sends SIGKILL,
SIGTERM or SIGINT to the worker, the flow's process, `dvc` or the stage, or SIGKILL to worker and
flow at once. A kill that finds nothing any more, as the machine was faster than before, is tried
again, earlier. A worker that has ended is started again, and after the run's end the deployment is
run again. Counted are runs that Prefect does not hear the end of, processes of a run that are left
30 seconds after it has ended, locks that are held then, results that differ from those of an
undisturbed `dvc repro` by a byte, and next runs that do not end well.
"""

import argparse
import fcntl
import itertools
import json
import random
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

import psutil

from benchmarks.deployed import Prefect, processes
from benchmarks.kills import LEFT_S, SIGNALS
from benchmarks.small import Project, undisturbed
from eilev.stages.watched import STAGES

Target = Literal["cancel", "worker", "flow", "machine", "dvc", "stage"]
SIGNALLED: tuple[Target, ...] = ("worker", "flow", "dvc", "stage")
# By which DVC tells the processes of a stage.
STAGE = "DVC_STAGE"


@dataclass(frozen=True)
class Kill:
    """What is killed while a stage runs (or before), and how; `machine` is worker and flow."""

    target: Target
    sign: signal.Signals | None

    def __str__(self) -> str:
        return f"{self.target:8s} {self.sign.name if self.sign else '':8s}"


KILLS = [
    Kill("cancel", None),
    Kill("machine", signal.SIGKILL),
    *itertools.starmap(Kill, itertools.product(SIGNALLED, SIGNALS)),
]


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    state: of the run, and message. heard_s: seconds from the kill until Prefect knew of its end;
    None if it never did. left: processes alive too long. locks: held by nobody's run. then: state
    of the next run. differing: results that are not those of an undisturbed run.
    """

    state: str
    message: str
    heard_s: float | None
    left: int
    locks: list[str]
    then: str
    differing: list[str]


def targets(prefect: Prefect, run: UUID, target: Target, stage: str) -> list[psutil.Process]:
    """What there is to kill now; of `dvc` and stages those of one stage."""
    family = processes(run)
    with suppress(psutil.Error):
        match target:
            case "worker":
                return [prefect.worker()]
            case "machine":
                return [prefect.worker(), *family[:1]]
            case "flow":
                return family[:1]
            case "dvc":
                return [
                    one
                    for one in family
                    if one.cmdline()[1:3] == ["-m", "dvc"] and one.cmdline()[-1] == stage
                ]
            case "stage":
                return [one for one in family if one.environ().get(STAGE) == stage][:1]
    return []


def held(folder: Path) -> list[str]:
    """Locks of ours and of DVC's that a process holds."""
    names = []
    for path in [*folder.glob("data/.*.lock"), folder / ".dvc/tmp/lock"]:
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                names.append(str(path.relative_to(folder)))
    rwlock = folder / ".dvc/tmp/rwlock"
    entries = json.loads(rwlock.read_text() or "{}") if rwlock.exists() else {}
    return names + [path for kind in entries.values() for path in kind if _alive(kind[path])]


def _alive(holders: dict[str, int] | list[dict[str, int]]) -> bool:
    every = holders if isinstance(holders, list) else [holders]
    return any(psutil.pid_exists(one["pid"]) for one in every)


def try_kill(
    prefect: Prefect, kill: Kill, stage: str, after_s: float, expected: dict[str, str]
) -> Outcome | None:
    """Let a run make a stage's results again, kill it, and run the deployment again.

    Args:
        prefect: of a project in which everything is up to date.
        kill: what is killed, and how.
        stage: whose results are made.
        after_s: seconds from when there is something to kill.
        expected: results of an undisturbed run.

    Returns:
        None if there was nothing to kill any more.
    """
    prefect.project.forget(stage)
    worker, run = prefect.worker(), prefect.start()
    killed = _wait_and_kill(prefect, run, kill, stage, after_s)
    prefect.mend()
    state = prefect.end(run)
    ended = time.monotonic()
    while (left := processes(run)) and time.monotonic() < ended + LEFT_S:
        time.sleep(0.2)
    locks = held(prefect.project.folder)
    if kill.target == "worker":  # it may have waited for its run
        psutil.wait_procs([worker], timeout=LEFT_S)
    prefect.mend()
    then = prefect.end(prefect.start())
    if killed is None:
        return None
    results = prefect.project.results()
    names = sorted(expected.keys() | results.keys())
    return Outcome(
        state=str(state and state.name),
        message=str(state and state.message),
        heard_s=round((state.timestamp - killed).total_seconds(), 1) if state else None,
        left=len(left),
        locks=locks,
        then=str(then and then.name),
        differing=[name for name in names if expected.get(name) != results.get(name)],
    )


def _wait_and_kill(
    prefect: Prefect, run: UUID, kill: Kill, stage: str, after_s: float
) -> datetime | None:
    """Kill once there is a target and some seconds have passed.

    Returns:
        When that was; None if all was over by then.
    """
    target: Target = "flow" if kill.target == "cancel" else kill.target
    while not targets(prefect, run, target, stage) and not prefect.final(run):
        time.sleep(0.1)
    time.sleep(after_s)
    found = targets(prefect, run, target, stage)
    if not found or prefect.final(run):
        return None
    killed = datetime.now(UTC)
    if kill.sign is None:
        prefect.cancel(run)
        return killed
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(kill.sign)
    psutil.wait_procs(found, timeout=LEFT_S)
    return killed


def trials(rng: random.Random, stages: Sequence[str]) -> Iterator[tuple[Kill, str]]:
    """Every kind of kill, shuffled, over and over, each with a stage at random."""
    while True:
        for kill in rng.sample(KILLS, len(KILLS)):
            yield kill, rng.choice(stages)


def main() -> None:
    """Kill and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flow_kills", description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1], help="the last stage to run")
    options = parser.parse_args()
    # A script's background jobs ignore Ctrl-C, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="eilev-flow-kills-") as folder:
        project = Project(Path(folder), options.until)
        seconds = undisturbed(project)
        print(", ".join(f"{name} {s:.1f} s" for name, s in seconds.items()), flush=True)
        prefect = Prefect(project)
        try:
            prefect.up()
            _run(prefect, seconds, options)
        finally:
            prefect.down()


def _run(prefect: Prefect, seconds: dict[str, float], options: argparse.Namespace) -> None:
    rng = random.Random(options.seed)  # noqa: S311
    expected = prefect.project.results()
    begun = time.monotonic()
    prefect.end(prefect.start())
    lead_s = time.monotonic() - begun
    print(f"a run in which nothing changed: {lead_s:.1f} s", flush=True)
    outcomes: list[tuple[Kill, Outcome]] = []
    some = itertools.islice(trials(rng, prefect.project.stages), options.trials)
    for number, (kill, stage) in enumerate(some, start=1):
        begun_s = 0.0 if kill.target in ("dvc", "stage") else lead_s
        after_s = rng.uniform(0, begun_s + seconds[stage])
        while (outcome := try_kill(prefect, kill, stage, after_s, expected)) is None:
            print(f"{number:3d} {kill} {stage:11s} {after_s:5.1f} s: too late", flush=True)
            after_s = rng.uniform(0, after_s / 2)
        outcomes.append((kill, outcome))
        print(f"{number:3d} {kill} {stage:11s} {after_s:5.1f} s {asdict(outcome)}", flush=True)
    _print_table(outcomes)


def _print_table(outcomes: Sequence[tuple[Kill, Outcome]]) -> None:
    print("\ntarget   signal    trials stopped unheard    left   locks  differ  by hand")
    by_kind = sorted(outcomes, key=_kind)
    for kind, group in itertools.groupby(by_kind, key=_kind):
        print(kind + "".join(f"{value:8d}" for value in _sums(group).values()))
    print(json.dumps(_sums(outcomes)))


def _kind(pair: tuple[Kill, Outcome]) -> str:
    return str(pair[0])


def _sums(pairs: Iterable[tuple[Kill, Outcome]]) -> dict[str, int]:
    outcomes = [outcome for _, outcome in pairs]
    return {
        "trials": len(outcomes),
        "stopped": sum(outcome.state != "Completed" for outcome in outcomes),
        "unheard": sum(outcome.heard_s is None for outcome in outcomes),
        "left": sum(outcome.left for outcome in outcomes),
        "locks": sum(len(outcome.locks) for outcome in outcomes),
        "differing": sum(len(outcome.differing) for outcome in outcomes),
        "needed_hand": sum(outcome.then != "Completed" for outcome in outcomes),
    }


if __name__ == "__main__":
    main()
