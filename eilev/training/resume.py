"""Checkpoints that a stopped run continues from: tensors as safetensors, the rest as JSON.

No random state is kept: every draw of a run depends on the seed and the step alone.
"""

import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from accelerate import PartialState
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from eilev.io import DataError, atomic_dir, read_json, write_json

WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
BEST = "best.safetensors"
STATE = "state.json"


@dataclass
class Progress:
    """Where a run stands; grows with every step."""

    # Steps of all phases, and the curriculum's phase with the steps of it alone.
    step: int = 0
    phase: int = 0
    phase_step: int = 0
    seconds: float = 0.0
    # Seconds at the end of each phase that is over, of all sittings.
    phase_ends: list[float] = field(default_factory=list)
    # Clips that each phase begun had encoded once, each as often as it has views.
    encoded: list[int] = field(default_factory=list)
    # Training losses since the last logged row, then all the rows: (step, values).
    losses: list[float] = field(default_factory=list)
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    # Step and validation scores of the best model so far; its weights lie beside.
    best_step: int | None = None
    best_score: float = 0.0
    best_loss: float = float("inf")


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on as if it had never stopped."""

    progress: Progress
    # Parameters that any phase trains, by name; the others come from where the model was built.
    weights: Mapping[str, Tensor]
    # State of the phase's optimiser: "<index of the parameter>.<name>".
    optimizer: Mapping[str, Tensor]
    # The same parameters of the best model; empty before the last phase's first validation.
    best: Mapping[str, Tensor]
    # State of the gradient scaler under fp16.
    scaler: Mapping[str, float] | None = None


def trained_names(model: nn.Module) -> frozenset[str]:
    """Names of the parameters that are not frozen."""
    return frozenset(name for name, p in model.named_parameters() if p.requires_grad)


def copy_parameters(model: nn.Module, names: Collection[str]) -> dict[str, Tensor]:
    """Copy parameters to the CPU, by name."""
    return {
        name: parameter.detach().to("cpu", copy=True)
        for name, parameter in model.named_parameters()
        if name in names
    }


def restore_parameters(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put copies made by `copy_parameters` back."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Flatten the state of an optimiser that keeps tensors only (AdamW does)."""
    return {
        f"{index}.{name}": value.detach().to("cpu", copy=True)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put the state from `optimizer_tensors` back; settings stay those of `optimizer`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def save_checkpoint(checkpoint: Checkpoint, folder: Path, print_of_run: str) -> None:
    """Write the checkpoint of a step, then remove the older ones: one is always whole."""
    target = folder / f"step-{checkpoint.progress.step:08d}"
    older = _checkpoints(folder)
    with atomic_dir(target) as temporary:
        save_file(dict(checkpoint.weights), temporary / WEIGHTS)
        save_file(dict(checkpoint.optimizer), temporary / OPTIMIZER)
        save_file(dict(checkpoint.best), temporary / BEST)
        state = {"fingerprint": print_of_run, "scaler": checkpoint.scaler}
        # Infinity, the loss before the first validation, is no JSON.
        progress = asdict(checkpoint.progress)
        if checkpoint.progress.best_step is None:
            del progress["best_loss"]
        write_json({**state, "progress": progress}, temporary / STATE)
    for path in older:
        if path != target:
            shutil.rmtree(path)


def load_checkpoint(folder: Path, print_of_run: str) -> Checkpoint | None:
    """Read the newest checkpoint, or None where there is none of this very run.

    A checkpoint of another run (parameters, data or code have changed since) is left alone but
    not used, and a line on stderr says so.

    Raises:
        DataError: the checkpoint cannot be read.
    """
    found = _checkpoints(folder)
    if not found:
        return None
    newest = found[-1]
    state = read_json(newest / STATE)
    if state["fingerprint"] != print_of_run:
        _tell(f"{newest}: made under other parameters or data, starting afresh")
        return None
    progress = state["progress"]
    progress["history"] = [(step, values) for step, values in progress["history"]]
    try:
        weights, optimizer, best = (load_file(newest / n) for n in (WEIGHTS, OPTIMIZER, BEST))
    except (SafetensorError, OSError) as error:
        raise DataError(f"{newest}: not a readable checkpoint, delete it: {error}") from error
    _tell(f"{newest}: resuming")
    return Checkpoint(Progress(**progress), weights, optimizer, best, state["scaler"])


def _tell(line: str) -> None:
    """Write a line beside the bars, from one of all processes."""
    if PartialState().is_main_process:
        tqdm.write(line, sys.stderr)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
