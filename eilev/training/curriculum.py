"""The phases of a run: what each trains, on which episodes, and where its steps lie."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def plan_phases(config: TrainConfig, episodes: Sequence[Mapping[Any, Any]]) -> list[Phase]:
    """Lay out the curriculum over the training episodes (rows of schema.EPISODES).

    Raises:
        ValueError: a phase has no episodes, or episodes have a phase that is not configured.
    """
    names = np.array([row["phase"] for row in episodes], dtype=object)
    epochs, sizes = (np.array([row[name] for row in episodes]) for name in ("epoch", "shots"))
    if unknown := sorted(set(names) - {phase.name for phase in config.phases}):
        raise ValueError(
            f"the train episodes have a phase '{unknown[0]}', which train.phases in params.yaml"
            " lacks; the phases of episodes.train and train.phases must be the same"
        )
    phases = []
    for phase in config.phases:
        rows = np.flatnonzero(names == phase.name)
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
