"""Kills stages of a small pipeline and looks at what `dvc repro` makes of it afterwards.

Run `python -m benchmarks.kills` from the root: a table, and a JSON object in the last line. A trial
takes a stage's results away, lets `dvc repro` make them again, and kills it at a random moment:
SIGKILL, SIGTERM or SIGINT, to the whole process group, to `dvc` alone, to the stage that it has
started (Accelerate's launcher, for `train`) or to one of that one's processes; or SIGKILL while DVC
writes `dvc.lock`. Then the pipeline is run again, as `make repro` does. Counted are results that
differ from those of an undisturbed run by a byte, processes that are left 30 seconds after `dvc`
has ended, and runs that do not end by themselves in the same results. A kill that comes too late,
as the machine is faster than before, is tried again, earlier. `data/train/effort.json`,
which says how long a training took, is not compared.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil

from benchmarks.small import MARK, Project, alive, mark, undisturbed
from eilev.stages.watched import STAGES

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
Target = Literal["group", "dvc", "stage", "worker", "dvc.lock"]
TARGETS: tuple[Target, ...] = ("group", "dvc", "stage", "worker")
Met = Literal["process", "late", "none"]
LEFT_S = 30.0


@dataclass(frozen=True)
class Kill:
    """What is killed, and how."""

    stage: str
    sign: signal.Signals
    target: Target


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    met: what the kill met: a process, none any more ("late"), or none at any time (few stages have
    workers). stopped: whether the run ended otherwise than well. mended: lock files that it left
    half written. differing: results that are not those of an undisturbed run, by name. left:
    processes alive too long. needed_hand: whether the next run failed; output: of that one.
    """

    met: Met
    stopped: bool
    mended: int
    differing: list[str]
    left: int
    needed_hand: bool
    output: str


def try_kill(
    project: Project, kill: Kill, after_s: float, expected: dict[str, str], trial: int = 1
) -> Outcome:
    """Make a stage's results again, kill it `after_s` seconds into it, and run the pipeline again.

    Args:
        project: everything is up to date.
        kill: what is killed, and how.
        after_s: seconds from when there is something to kill.
        expected: results of an undisturbed run.
        trial: marks the processes.
    """
    project.forget(kill.stage)
    dvc = project.start("dvc", "repro", "--single-item", kill.stage, trial=trial)
    send = _wait_for_writing if kill.target == "dvc.lock" else _wait_for_target
    met = send(project, dvc, kill, after_s)
    dvc.communicate()
    ended = time.monotonic()
    mended, code, output = project.repro()
    while (left := alive(MARK, mark(trial))) and time.monotonic() < ended + LEFT_S:
        time.sleep(0.1)
    results = project.results()
    names = sorted(expected.keys() | results.keys())
    return Outcome(
        met=met,
        stopped=dvc.returncode != 0,
        mended=len(mended),
        differing=[name for name in names if expected.get(name) != results.get(name)],
        left=len(left),
        needed_hand=code != 0,
        output=output,
    )


def _wait_for_target(
    _project: Project, dvc: "subprocess.Popen[str]", kill: Kill, after_s: float
) -> Met:
    """Kill once there is a target and some seconds have passed, unless all is over by then."""
    while not (found := _targets(dvc, kill.target)) and dvc.poll() is None:
        time.sleep(0.01)
    if not found:
        return "none"
    deadline = time.monotonic() + after_s
    while time.monotonic() < deadline and dvc.poll() is None:
        time.sleep(0.01)
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        found = _targets(dvc, kill.target) or found
        if dvc.poll() is None and kill.target == "group":
            os.killpg(dvc.pid, kill.sign)
            return "process"
        if dvc.poll() is None and found[-1].is_running():
            found[-1].send_signal(kill.sign)
            return "process"
    return "late"


def _targets(dvc: "subprocess.Popen[str]", target: Target) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(dvc.pid)
        if target in ("group", "dvc"):
            return [process]
        stages = process.children()
        if target == "stage" or not stages:
            return list(stages)
        return [*stages[0].children(recursive=True)]
    return []


def _wait_for_writing(
    project: Project, dvc: "subprocess.Popen[str]", _kill: Kill, after_s: float
) -> Met:
    """Kill the group `after_s` thousandths of a second after DVC has begun to write `dvc.lock`."""
    path = project.folder / "dvc.lock"
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before and dvc.poll() is None:
        time.sleep(0.0005)
    time.sleep(after_s / 1000)
    with suppress(ProcessLookupError):
        os.killpg(dvc.pid, signal.SIGKILL)
    return "process" if dvc.wait() else "late"


def kills(stages: Sequence[str], rng: random.Random) -> Iterator[Kill]:
    """Every kind of kill of every stage, shuffled, over and over."""
    every = [Kill(*each) for each in itertools.product(stages, SIGNALS, TARGETS)]
    every += [Kill(stage, signal.SIGKILL, "dvc.lock") for stage in stages]
    while True:
        yield from rng.sample(every, len(every))


def main() -> None:
    """Kill and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1], help="the last stage to run")
    parser.add_argument("--stages", nargs="+", choices=STAGES, help="those to kill, if not all")
    options = parser.parse_args()
    # A script's background jobs ignore Ctrl-C, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="eilev-kills-") as folder:
        _run(Project(Path(folder), options.until), options)


def _run(project: Project, options: argparse.Namespace) -> None:
    rng = random.Random(options.seed)  # noqa: S311
    seconds = undisturbed(project)
    print(
        "undisturbed: " + ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items()), flush=True
    )
    begun = time.monotonic()
    project.repro()
    lead_s = time.monotonic() - begun  # of a run, until its stage begins
    expected = project.results()
    outcomes: list[tuple[Kill, Outcome]] = []
    every = kills(options.stages or project.stages, rng)
    for trial, kill in zip(range(1, options.trials + 1), every, strict=False):
        own = kill.target in ("stage", "worker")
        after_s = rng.uniform(0, max(seconds[kill.stage] - lead_s * own, 0.5))
        while (outcome := _tell(project, kill, after_s, expected, trial)).met == "late":
            outcomes.append((kill, outcome))
            after_s = rng.uniform(0, after_s / 2)
        outcomes.append((kill, outcome))
    _print_table(outcomes)


def _tell(
    project: Project, kill: Kill, after_s: float, expected: dict[str, str], trial: int
) -> Outcome:
    """Try a kill, and print what it came to."""
    outcome = try_kill(project, kill, after_s, expected, trial)
    figures = {name: value for name, value in asdict(outcome).items() if name != "output"}
    line = f"{trial:4d} {kill.sign.name:8s} {kill.target:9s} {kill.stage:11s} {after_s:5.1f} s"
    print(f"{line} {figures}", flush=True)
    if outcome.needed_hand:
        print(outcome.output, flush=True)
        _start_over(project, kill.stage)
    return outcome


def _start_over(project: Project, stage: str) -> None:
    """What a hand would do."""
    (project.folder / "dvc.lock").unlink(missing_ok=True)
    shutil.rmtree(project.folder / "data" / stage, ignore_errors=True)
    undisturbed(project)


def _print_table(outcomes: Sequence[tuple[Kill, Outcome]]) -> None:
    print(
        "\nstage        signal    target       runs   killed  stopped   mended  differing"
        "     left  by hand"
    )
    of: Callable[[tuple[Kill, Outcome]], tuple[str, str, str]] = lambda pair: (  # noqa: E731
        pair[0].stage,
        pair[0].sign.name,
        pair[0].target,
    )
    for kind, group in itertools.groupby(sorted(outcomes, key=of), key=of):
        sums = _sums([outcome for _, outcome in group])
        figures = "  ".join(f"{value:7d}" for value in sums.values())
        print(f"{kind[0]:11s}  {kind[1]:8s}  {kind[2]:9s} {figures}")
    print(json.dumps(_sums([outcome for _, outcome in outcomes])))


def _sums(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {
        "runs": len(outcomes),
        "killed": sum(outcome.met == "process" for outcome in outcomes),
        "stopped": sum(outcome.stopped for outcome in outcomes),
        "mended": sum(outcome.mended for outcome in outcomes),
        "differing": sum(len(outcome.differing) for outcome in outcomes),
        "left": sum(outcome.left for outcome in outcomes),
        "needed_hand": sum(outcome.needed_hand for outcome in outcomes),
    }


if __name__ == "__main__":
    main()
