"""Checkpoints that a stopped run continues from: tensors as safetensors, the rest as JSON.

No random state is kept: every draw of a run depends on the seed and the step alone.
"""

import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from eilev.io import DataError, atomic_dir, read_json, write_json
from eilev.paths import DROP_UNFINISHED
from eilev.training.sharding import put, share_out, whole

WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
BEST = "best.safetensors"
STATE = "state.json"
# Of what these files hold; grows when a checkpoint of before could not be read any more.
VERSION = 2

# In messages: how many differences are named, and the longest value that is written out.
MOST_NAMED, SHORT = 5, 40


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


@dataclass(frozen=True)
class Resumption:
    """Where checkpoints lie, and which run may use them.

    of: everything that the run's result depends on, by name: settings, and hashes of files
        (`eilev.io.hash_files`). As JSON values, nested as they like.
    drop_unfinished: whether the checkpoint of another run makes way for this one.
    """

    folder: Path
    of: Mapping[str, Any]
    drop_unfinished: bool = False


def trained_names(model: nn.Module) -> frozenset[str]:
    """Names of the parameters that are not frozen."""
    return frozenset(name for name, p in model.named_parameters() if p.requires_grad)


def copy_parameters(model: nn.Module, names: Collection[str]) -> dict[str, Tensor]:
    """Copy parameters to the CPU, by name; of all processes where the model is shared out."""
    return {
        name: whole(parameter.detach()).to("cpu", copy=True)
        for name, parameter in model.named_parameters()
        if name in names
    }


def restore_parameters(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put copies made by `copy_parameters` back."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in weights:
                put(parameter, weights[name])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Flatten the state of an optimiser that keeps tensors only (AdamW does).

    Of all processes where the model is shared out.
    """
    return {
        f"{index}.{name}": whole(value.detach()).to("cpu", copy=True)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put the state from `optimizer_tensors` back; settings stay those of `optimizer`."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = share_out(value, parameters[int(index)])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def save_checkpoint(checkpoint: Checkpoint, resumption: Resumption) -> None:
    """Write the checkpoint of a step, then remove the older ones: one is always whole.

    Raises:
        DataError: it cannot be written; the older ones are still there.
    """
    folder = resumption.folder
    target = folder / f"step-{checkpoint.progress.step:08d}"
    older = _checkpoints(folder)
    try:
        with atomic_dir(target) as temporary:
            _write(checkpoint, resumption.of, temporary)
    except SafetensorError as error:
        raise DataError(f"{target}: cannot be written: {error}") from error
    for path in older:
        if path != target:
            shutil.rmtree(path)


def _write(checkpoint: Checkpoint, of: Mapping[str, Any], folder: Path) -> None:
    save_file(dict(checkpoint.weights), folder / WEIGHTS)
    save_file(dict(checkpoint.optimizer), folder / OPTIMIZER)
    save_file(dict(checkpoint.best), folder / BEST)
    progress = asdict(checkpoint.progress)
    # Infinity, the loss before the first validation, is no JSON.
    if checkpoint.progress.best_step is None:
        del progress["best_loss"]
    state = {"version": VERSION, "of": of, "scaler": checkpoint.scaler, "progress": progress}
    write_json(state, folder / STATE)


def load_checkpoint(resumption: Resumption) -> Checkpoint | None:
    """Read the newest checkpoint, or None where there is none.

    The checkpoint of another run (parameters, data or code have changed since) is not used; where
    `drop_unfinished` says so it is left to be replaced, and a line on stderr says what differs.

    Raises:
        DataError: the checkpoint cannot be read, or is of another run and not to be dropped.
    """
    found = _checkpoints(resumption.folder)
    if not found:
        return None
    newest = found[-1]
    state = _read_state(newest / STATE)
    progress = state["progress"]
    if differing := differences(state["of"], resumption.of):
        told = f"{newest}: an unfinished training, begun with other {_listed(differing)}"
        if not resumption.drop_unfinished:
            raise DataError(
                f"{told}; to go on with it put them back, to start afresh delete"
                f" {resumption.folder} or set {DROP_UNFINISHED}=1"
            )
        _tell(f"{told}; starting afresh")
        return None
    weights, optimizer, best = (_read_tensors(newest / n) for n in (WEIGHTS, OPTIMIZER, BEST))
    _tell(f"{newest}: resuming")
    return Checkpoint(progress, weights, optimizer, best, state["scaler"])


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Dotted names of what differs between two nested tables, with their values if these are short.

    >>> differences({"train": {"seed": 0, "rate": 1.0}}, {"train": {"seed": 1, "rate": 1.0}})
    ['train.seed (0, now 1)']
    """
    old, new = _flatten(before), _flatten(now)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [_describe(name, old.get(name), new.get(name)) for name in names]


def _flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Leaves of nested tables and lists by dotted name; empty ones are leaves."""
    if not isinstance(value, Mapping | list | tuple) or not value:
        return {name: value} if name else {}
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    dot = f"{name}." if name else ""
    return {leaf: v for key, part in items for leaf, v in _flatten(part, f"{dot}{key}").items()}


def _describe(name: str, before: Any, now: Any) -> str:
    if max(len(str(before)), len(str(now))) > SHORT:  # a hash tells nobody anything
        return name
    return f"{name} ({before}, now {now})"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _read_state(path: Path) -> dict[str, Any]:
    delete = f"delete {path.parent} to start afresh"
    try:
        state = read_json(path)
    except DataError as error:
        raise DataError(f"{path}: damaged or missing; {delete}") from error
    version = state.get("version") if isinstance(state, dict) else None
    if version != VERSION:
        raise DataError(
            f"{path}: written by another version of EILeV (format {version}, not {VERSION});"
            f" finish the training with that one, or {delete}"
        )
    try:
        progress = Progress(**state["progress"])
        progress.history = [(step, values) for step, values in progress.history]
        return {"of": state["of"], "scaler": state["scaler"], "progress": progress}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: damaged: {error!r}; {delete}") from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{path}: damaged or missing ({error}); delete {path.parent} to start afresh"
        ) from error


def _tell(line: str) -> None:
    """Write a line beside the bars, from one of all processes."""
    if PartialState().is_main_process:
        tqdm.write(line, sys.stderr)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
