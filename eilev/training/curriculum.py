"""The phases of a run: what each trains, on which episodes, and where its steps lie."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eilev.config.train import PhaseConfig, TrainConfig


@dataclass(frozen=True)
class Phase:
    """One phase of the curriculum, in the run."""

    config: PhaseConfig
    # Modules that it does not train.
    frozen: tuple[str, ...]
    # Its rows of the training episodes, the epoch of each and its shots, all (num_rows,).
    rows: np.ndarray
    epochs: np.ndarray
    sizes: np.ndarray
    # Optimiser steps.
    steps: int


def plan_phases(config: TrainConfig, episodes: pa.Table) -> list[Phase]:
    """Lay out the curriculum over the training episodes (rows of schema.EPISODES).

    Raises:
        ValueError: a phase has no episodes, or episodes have a phase that is not configured.
    """
    epochs, sizes = (episodes[name].to_numpy() for name in ("epoch", "shots"))
    found: set[Any] = set(pc.unique(episodes["phase"]).to_pylist())
    if unknown := sorted(found - {phase.name for phase in config.phases}):
        raise ValueError(
            f"the train episodes have a phase '{unknown[0]}', which train.phases in params.yaml"
            " lacks; the phases of episodes.train and train.phases must be the same"
        )
    phases = []
    for phase in config.phases:
        rows = np.flatnonzero(pc.equal(episodes["phase"], pa.scalar(phase.name)).to_numpy())
        if not rows.size:
            raise ValueError(
                f"the train episodes of the phase '{phase.name}' are empty; see episodes.train in"
                " params.yaml"
            )
        frozen = tuple(dict.fromkeys([*config.model.freeze, *phase.freeze]))
        steps = math.ceil(rows.size / config.batch_size)
        phases.append(Phase(phase, frozen, rows, epochs[rows], sizes[rows], steps))
    return phases


def never_trained(phases: Sequence[Phase]) -> tuple[str, ...]:
    """Modules that are frozen in every phase."""
    return tuple(name for name in phases[0].frozen if all(name in p.frozen for p in phases))
