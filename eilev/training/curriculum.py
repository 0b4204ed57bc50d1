"""The phases of a run: what each trains, on which episodes, and where its steps lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eilev.config.train import PhaseConfig, TrainConfig
from eilev.training.batches import num_batches


@dataclass(frozen=True)
class Phase:
    """One phase of the curriculum, in the run."""

    config: PhaseConfig
    # Modules that it does not train.
    frozen: tuple[str, ...]
    # Rows of the training episodes (num_rows,) and the epoch of each.
    rows: np.ndarray
    epochs: np.ndarray
    # Optimiser steps.
    steps: int


def plan_phases(
    config: TrainConfig, phase_of: Sequence[str], epoch_of: Sequence[int], batches_per_step: int
) -> list[Phase]:
    """Lay out the curriculum over the training episodes.

    Args:
        config: The train section.
        phase_of: Name of the phase of each episode.
        epoch_of: Epoch of each episode.
        batches_per_step: Batches of all processes that make up an optimiser step.

    Raises:
        ValueError: a phase has no episodes, or episodes have a phase that is not configured.
    """
    names, epochs = np.array(phase_of, dtype=object), np.array(epoch_of)
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
        steps = -(-num_batches(rows.size, config.batch_size) // batches_per_step)
        frozen = tuple(dict.fromkeys([*config.model.freeze, *phase.freeze]))
        phases.append(Phase(phase, frozen, rows, epochs[rows], steps))
    return phases


def never_trained(phases: Sequence[Phase]) -> tuple[str, ...]:
    """Modules that are frozen in every phase."""
    return tuple(name for name in phases[0].frozen if all(name in p.frozen for p in phases))
