"""A small real training run; as a script, one that can be killed or have several processes."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import PartialState
from safetensors.torch import save_file

from eilev.training.resume import trained_parameters
from eilev.training.run import Resumption
from eilev.training.setup import make_accelerator, set_up
from eilev.training.trainer import train
from tests.kitchen import make_kitchen, tiny_train_config


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
    setup = set_up(config, kitchen.narrations, kitchen.episodes, kitchen.clips)
    recorder = Recorder()
    resumption = Resumption(Path(folder), f"{sorted(changes.items())}")
    result = train(setup.model, setup.data, config, accelerator, recorder, resumption)
    return result, trained_parameters(setup.model), recorder, setup


if __name__ == "__main__":
    checkpoints, output = map(Path, sys.argv[1:])
    _, weights, recorder, _ = run(checkpoints, make_kitchen(epochs=4))
    if PartialState().is_main_process:
        save_file(weights, output)
        record = {"processes": PartialState().num_processes, "rows": recorder.rows}
        (output.parent / "record.json").write_text(json.dumps(record))
