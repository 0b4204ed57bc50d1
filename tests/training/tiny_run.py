"""A small real training run; as a script, one that can be killed or have several processes."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import PartialState
from safetensors.torch import save_file

from eilev.training.resume import copy_parameters, trained_names
from eilev.training.run import Resumption
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
    resumption = Resumption(Path(folder), f"{sorted(changes.items())}")
    result = train(setup.model, setup.data, config, accelerator, recorder, resumption)
    return result, copy_parameters(setup.model, trained_names(setup.model)), recorder, setup


def curriculum():
    """Kitchen and changes of a run of two phases, the second with frozen eyes and guidance."""
    first = train_phase(name="clips")
    second = train_phase(freeze=("vision_model",), learning_rate_scale=0.5, guidance=0.5)
    return make_kitchen(phases=("clips", "contexts")), {"phases": (first, second)}


if __name__ == "__main__":
    checkpoints, output = map(Path, sys.argv[1:])
    own_kitchen, changes = curriculum()
    _, weights, recorder, _ = run(checkpoints, own_kitchen, **changes)
    if PartialState().is_main_process:
        save_file(weights, output)
        record = {"processes": PartialState().num_processes, "rows": recorder.rows}
        (output.parent / "record.json").write_text(json.dumps(record))
