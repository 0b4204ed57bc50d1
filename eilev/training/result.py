"""What a training run came to."""

from dataclasses import dataclass

from eilev.training.curriculum import never_trained
from eilev.training.resume import restore_parameters
from eilev.training.run import Run
from eilev.training.sharding import is_sharded


@dataclass(frozen=True)
class PhaseEffort:
    """Seconds of a phase, and the clips that it had encoded only once.

    Each clip counts as often as it has views; a sitting that finds them encoded counts none.
    """

    seconds: float
    encoded_once: int


@dataclass(frozen=True)
class Effort:
    """Seconds of all sittings up to their checkpoints, and the phases by name."""

    seconds: float
    phases: dict[str, PhaseEffort]


@dataclass(frozen=True)
class TrainResult:
    """What a run came to; the scores are those of the best model, which `train` leaves in place.

    steps: optimiser steps. val_score: share of validation episodes narrated word for word.
    train_loss: mean over the last logged steps. phase_steps: those of the curriculum's
    phases by name. effort: what it took; the rest is the same however often the run was stopped.
    """

    steps: int
    best_step: int
    val_score: float
    val_loss: float
    train_loss: float
    phase_steps: dict[str, int]
    effort: Effort


def finish(run: Run) -> TrainResult:
    """Put the best weights back and say what they came to."""
    progress, model = run.progress, run.model
    assert progress.best_step is not None  # noqa: S101  (the last step is always validated)
    if run.accelerator.is_main_process or not is_sharded(run.accelerator):
        restore_parameters(model, run.best)
    model.freeze(never_trained(run.phases))
    model.train(mode=False)
    losses = [values["train/loss"] for _, values in progress.history if "train/loss" in values]
    return TrainResult(
        steps=progress.step,
        best_step=progress.best_step,
        val_score=progress.best_score,
        val_loss=progress.best_loss,
        train_loss=losses[-1],
        phase_steps={phase.config.name: phase.steps for phase in run.phases},
        effort=_effort(run),
    )


def _effort(run: Run) -> Effort:
    ends = run.progress.phase_ends
    starts = [0.0, *ends[:-1]]
    rows = zip(run.phases, starts, ends, run.progress.encoded, strict=True)
    phases = {
        phase.config.name: PhaseEffort(round(end - start, 1), encoded)
        for phase, start, end, encoded in rows
    }
    return Effort(round(run.progress.seconds, 1), phases)
