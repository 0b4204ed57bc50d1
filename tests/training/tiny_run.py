"""A small real training run, also in processes of its own: one that can be killed, or several."""

import json
import multiprocessing
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import PartialState
from safetensors.torch import save_file
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from eilev.training.resume import Resumption, copy_parameters, trained_names
from eilev.training.setup import make_accelerator, set_up
from eilev.training.trainer import train
from tests.kitchen import make_kitchen, tiny_train_config, train_phase


@dataclass
class Recorder:
    """A tracker that keeps what it is told."""

    rows: list = field(default_factory=list)

    def log(self, step, values):
        self.rows.append((step, dict(values)))

    def close(self):
        pass

    def column(self, name):
        return [values[name] for _, values in self.rows if name in values]


def run(folder, kitchen=None, **changes):
    """Train; returns the result, the trained weights, the record and the set-up."""
    config = tiny_train_config(**changes)
    accelerator = make_accelerator(config)
    kitchen = kitchen or make_kitchen()
    setup = set_up(config, kitchen.narrations, kitchen.tables, kitchen.clips)
    recorder = Recorder()
    resumption = Resumption(Path(folder), config.model_dump(mode="json"))
    result = train(setup.model, setup.data, config, accelerator, recorder, resumption)
    return result, copy_parameters(setup.model, trained_names(setup.model)), recorder, setup


def curriculum():
    """Kitchen and changes of a run of two phases, the second with frozen eyes and guidance."""
    first = train_phase(name="clips")
    second = train_phase(freeze=("vision_model",), learning_rate_scale=0.5, guidance=0.5)
    return make_kitchen(phases=("clips", "contexts")), {"phases": (first, second)}


# Processes are forked from one that has imported this module: importing takes longer than a run.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


def start(checkpoints, processes=1):
    """Start the curriculum in processes of its own; weights and record go beside `checkpoints`."""
    process = FORKS.Process(target=_launch, args=(checkpoints, processes))
    process.start()
    return process


def _launch(checkpoints, processes):
    os.environ["ACCELERATE_USE_CPU"] = "1"
    if processes == 1:
        _write_run(checkpoints)
        return
    # What `torchrun --standalone` does.
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=str(uuid.uuid4()),
        max_restarts=0,
        start_method="forkserver",
    )
    elastic_launch(config, _write_run)(checkpoints)


def _write_run(checkpoints):
    os.environ["ACCELERATE_USE_CPU"] = "1"
    torch.set_num_threads(1)
    kitchen, changes = curriculum()
    _, weights, recorder, _ = run(checkpoints, kitchen, **changes)
    if PartialState().is_main_process:
        save_file(weights, checkpoints.parent / "end")
        record = {"processes": PartialState().num_processes, "rows": recorder.rows}
        (checkpoints.parent / "record.json").write_text(json.dumps(record))
