"""Steps per second of the default training: processes and threads, alone and beside a busy process.

Run `python -m benchmarks.training` from the root after `dvc repro validate`, on a machine with
nothing else to do: a table, and a JSON object in the last line. The trainer is the real one, on the
first episodes of one phase; start, validation and checkpoints are left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from accelerate import PartialState

from eilev import paths, schema
from eilev.clips.store import ClipStore
from eilev.config.section import load_section
from eilev.config.train import TrainConfig
from eilev.inputs.episode import narrations_by_id
from eilev.parquet import read_table
from eilev.training.resume import Resumption
from eilev.training.setup import make_accelerator, set_up
from eilev.training.trainer import LOG_EVERY, train

# Processes, threads of each, how OpenMP's threads wait.
CASES = ((1, 1, "PASSIVE"), (1, 2, "PASSIVE"), (1, 2, "ACTIVE"), (2, 1, "PASSIVE"))


class Clock:
    """A tracker that notes when the trainer logs, and the losses."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.losses: list[float] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        """Note a row of training metrics."""
        if "train/loss" in values:
            self.times.append(time.monotonic())
            self.losses.append(values["train/loss"])

    def close(self) -> None:
        """Do nothing."""

    @property
    def steps_per_s(self) -> float:
        """Without the first steps, which warm up."""
        return LOG_EVERY * (len(self.times) - 1) / (self.times[-1] - self.times[0])


def work(num_threads: int, num_steps: int, phase: str, views: int, folder: Path) -> None:
    """Train for some steps of a phase as one of the processes that torchrun has started."""
    params = load_section("train", TrainConfig)
    chosen = tuple(each for each in params.phases if each.name == phase)
    rarely = {"validate_every": 10**6, "checkpoint_every": 10**6, "accumulation_steps": 1}
    config = params.model_copy(update={"phases": chosen, "views": views, **rarely})
    accelerator = make_accelerator(config, use_cpu=True)
    torch.set_num_threads(num_threads)
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    train_episodes, val_episodes = (
        read_table(paths.EPISODES / f"{split}.parquet", schema.EPISODES)
        for split in ("train", "val")
    )
    drawn = train_episodes[train_episodes["phase"] == phase].head(num_steps * config.batch_size)
    episodes = {
        split: pa.Table.from_pandas(table, schema=schema.EPISODES, preserve_index=False)
        for split, table in (("train", drawn), ("val", val_episodes.head(8)))
    }
    setup = set_up(config, narrations_by_id(narrations), episodes, ClipStore(paths.CLIPS))
    clock = Clock()
    # All processes share it: what frozen eyes see lies there.
    resumption = Resumption(folder, {})
    train(setup.model, setup.data, config, accelerator, clock, resumption)
    if PartialState().is_main_process:
        print(json.dumps({"steps_per_s": round(clock.steps_per_s, 2), "losses": clock.losses}))


def measure(processes: int, threads: int, policy: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Start the processes and read what the main one has measured."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    options = [f"--steps={asked.steps}", f"--phase={asked.phase}", f"--views={asked.views}"]
    env = os.environ | {"OMP_WAIT_POLICY": policy, "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        worker = ["-m", "benchmarks.training", *options, f"--worker={threads}", f"--in={folder}"]
        command = [sys.executable, *torchrun, *worker]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def busy() -> Iterator[None]:
    """Another process that wants a core all the time."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--steps", type=int, default=3 * LOG_EVERY, help=f"over {LOG_EVERY}")
    parser.add_argument("--worker", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    params = load_section("train", TrainConfig)
    names = [phase.name for phase in params.phases]
    parser.add_argument("--phase", choices=names, default=names[0])
    message = "train.views; 0 runs frozen eyes at every showing"
    parser.add_argument("--views", type=int, default=params.views, help=message)
    parser.add_argument("--processes", type=int, help="only cases of so many processes")
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.steps, options.phase, options.views, options.folder)
        return
    results = []
    print("processes  threads  waiting   alone  beside a busy process   (steps per second)")
    for case in CASES:
        if options.processes not in (None, case[0]):
            continue
        alone = measure(*case, options)
        with busy():
            beside = measure(*case, options)
        results.append(dict(zip(("processes", "threads", "waiting"), case, strict=True)))
        results[-1] |= alone | {"beside_busy": beside["steps_per_s"]}
        figures = f"{alone['steps_per_s']:7.2f}  {beside['steps_per_s']:7.2f}"
        print(f"{case[0]:9d}  {case[1]:7d}  {case[2]:7s} {figures}", flush=True)
    print(json.dumps({"load_average": os.getloadavg()[0], "cases": results}))


if __name__ == "__main__":
    main()
