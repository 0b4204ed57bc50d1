"""A small real training run, also in processes of its own: one that can be killed, or several."""

import json
import multiprocessing
import os
import signal
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from safetensors.torch import save_file
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from eilev.inputs.episode import narrations_by_id
from eilev.model.checkpoint import save_model
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


@dataclass
class Stopper(Recorder):
    """Asks its own process to stop at the first row."""

    def log(self, step, values):
        super().log(step, values)
        os.kill(os.getpid(), signal.SIGTERM)


def run(folder, kitchen=None, fsdp=None, recorder=None, **changes):
    """Train; returns the result, the trained weights, the record and the set-up."""
    config = tiny_train_config(**changes)
    accelerator = make_accelerator(config)
    if fsdp is not None:
        share_out(fsdp)
    kitchen = kitchen or make_kitchen()
    setup = set_up(config, narrations_by_id(kitchen.narrations), kitchen.tables, kitchen.clips)
    recorder = recorder or Recorder()
    resumption = Resumption(Path(folder), config.model_dump(mode="json"))
    result = train(setup.model, setup.data, config, accelerator, recorder, resumption)
    return result, copy_parameters(setup.model, trained_names(setup.model)), recorder, setup


def share_out(plugin):
    """What Accelerate does for FSDP where there are GPUs; on the CPU it leaves it out."""
    for state in (PartialState, AcceleratorState):
        state._shared_state["distributed_type"] = DistributedType.FSDP
    AcceleratorState._shared_state["fsdp_plugin"] = plugin


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


def start_apart(folder, **changes):
    """Start the one-phase run in a process of its own, which leaves its weights in `folder`.

    Processes that load data are forked; from one in which Prefect has run they would end badly.
    """
    process = FORKS.Process(target=_run_apart, args=(folder, torch.get_num_threads(), changes))
    process.start()
    return process


def _run_apart(folder, num_threads, changes):
    # As many as in the run that it is compared with: their sums are rounded otherwise.
    torch.set_num_threads(num_threads)
    save_file(run(folder / "checkpoints", **changes)[1], folder / "end")


def start_as_launched(target, arguments, launch, environment):
    """Start processes as torchrun does from its own settings, which Accelerate has made."""
    process = FORKS.Process(target=_elastic, args=(target, arguments, launch, environment))
    process.start()
    return process


def _elastic(target, arguments, launch, environment):
    os.environ.update(environment)
    launch.start_method = "fork"
    elastic_launch(launch, target)(*arguments)


def few_steps():
    """Kitchen and changes of a run of three steps, with frozen eyes and language model."""
    frozen = train_phase(freeze=("vision_model", "language_model"), guidance=0.5)
    return make_kitchen(), {"phases": (frozen,), "batch_size": 40, "validate_every": 1}


def write_few_steps(folder, fsdp, stops):
    """Run them, after which the first process writes what came of it."""
    os.environ["ACCELERATE_USE_CPU"] = "1"
    torch.set_num_threads(1)
    kitchen, changes = few_steps()
    _, weights, recorder, setup = run(
        folder / "checkpoints",
        kitchen,
        # Its settings come from the environment, where Accelerate's launcher puts them.
        FullyShardedDataParallelPlugin() if fsdp else None,
        Stopper() if stops else Recorder(),
        **changes,
    )
    if PartialState().is_main_process:
        save_file(weights, folder / "end")
        save_model(setup.model, setup.codec, setup.data.preprocessing, folder / "model")
        record = {"processes": PartialState().num_processes, "rows": recorder.rows}
        (folder / "record.json").write_text(json.dumps(record))


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
