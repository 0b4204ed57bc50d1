"""What a training run is made of, fresh or restored from its checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from eilev.clips.cache import ClipCache
from eilev.config.train import TrainConfig
from eilev.inputs.episode import clip_ids_of
from eilev.inputs.preprocess import Preprocessing
from eilev.model.video_blip import VideoBlip
from eilev.training.batches import NO_AUGMENTATION, Part, PhaseBatches
from eilev.training.collator import InterleavedCollator
from eilev.training.curriculum import Phase, never_trained, plan_phases
from eilev.training.dataset import EpisodeDataset
from eilev.training.episode_model import EpisodeModel
from eilev.training.features import Eyes, FeatureStore, Wanted, encode_once
from eilev.training.optim import build_optimizer
from eilev.training.resume import (
    Checkpoint,
    Progress,
    Resumption,
    copy_parameters,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    restore_parameters,
    save_checkpoint,
    trained_names,
)
from eilev.training.sharding import check_shardable, is_sharded
from eilev.training.tracking import Tracker

# Within the folder of the checkpoints.
FEATURES = "features"


@dataclass(frozen=True)
class TrainingData:
    """What a run reads."""

    train: EpisodeDataset
    val: EpisodeDataset
    frames: ClipCache
    preprocessing: Preprocessing
    # (vocabulary,) weight of each target token in the loss.
    token_weights: Tensor
    # Tokens whose embeddings every step draws anew (eilev.training.unlearnt), and those that it
    # draws them like; int64 (number,), none where no episode is told in invented words.
    unlearnt: Tensor
    learnt: Tensor


@dataclass
class Run:
    """A run through all phases of the curriculum."""

    config: TrainConfig
    model: VideoBlip
    data: TrainingData
    accelerator: Accelerator
    tracker: Tracker
    resumption: Resumption
    phases: Sequence[Phase]
    # Names of the parameters that any phase trains.
    trained: frozenset[str]
    # The attention implementation where nothing asks for another one.
    attention: str
    progress: Progress
    # Those of the best model so far.
    best: dict[str, Tensor]

    @property
    def phase(self) -> Phase:
        """The phase that the run is in."""
        return self.phases[self.progress.phase]

    @property
    def num_steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def log(self, values: dict[str, float]) -> None:
        """Record values of the current step."""
        self.progress.history.append((self.progress.step, values))
        self.tracker.log(self.progress.step, values)

    def save(self, optimizer: Any) -> None:
        """Write a checkpoint from the main process; the others do not wait for it.

        Where the model is shared out, all processes must call this at the same step.

        Raises:
            TrainingError: a weight is not finite; the checkpoint of before stays.
            DataError: it cannot be written; the checkpoint of before stays.
        """
        if not (self.accelerator.is_main_process or is_sharded(self.accelerator)):
            return
        weights = copy_parameters(self.model, self.trained)
        state = optimizer_tensors(optimizer)
        if not self.accelerator.is_main_process:
            return
        if not all(bool(weight.isfinite().all()) for weight in weights.values()):
            raise diverged(self, self.progress.step, "a weight", "not finite")
        scaler = self.accelerator.scaler
        checkpoint = Checkpoint(
            progress=self.progress,
            weights=weights,
            optimizer=state,
            best=self.best,
            scaler=None if scaler is None else scaler.state_dict(),
        )
        save_checkpoint(checkpoint, self.resumption)


class TrainingError(ValueError):
    """The run cannot go on; the message says at which step and what to change."""


def diverged(run: Run, step: int, what: str, value: object) -> TrainingError:
    """Say what of a step is not finite."""
    return TrainingError(
        f"{what} of step {step} is {value}: lower train.learning_rate or train.max_grad_norm, or"
        f" train in a wider number format; delete {run.resumption.folder}, which leads to the same"
    )


@dataclass(frozen=True)
class PhaseRun:
    """The moving parts of one phase, all of them Accelerate's wrappers."""

    model: Any
    optimizer: Any
    train_batches: Any
    val_batches: Any
    # Clips that were encoded once for the phase, each as often as it has views.
    encoded: int


def start_run(
    model: VideoBlip,
    data: TrainingData,
    config: TrainConfig,
    accelerator: Accelerator,
    tracker: Tracker,
    resumption: Resumption,
) -> tuple[Run, Checkpoint | None]:
    """Prepare a run; where a checkpoint of the same run lies, its weights are as they were then.

    Returns:
        The run, and the checkpoint that its phase continues from.

    Raises:
        ValueError: no episodes to train on or to select by, nothing left to train, a step that the
            processes cannot share evenly, or a checkpoint that is damaged or of another run.
    """
    config.episodes_at_once(accelerator.num_processes)  # refuses an uneven share
    if not len(data.val):
        raise ValueError("the val episodes are empty; see episodes.val in params.yaml")
    if any(p.guidance for p in config.phases) and model.family.encoder_decoder:
        raise ValueError(
            "params.yaml: train.phases: 'guidance' is for decoder-only language models; set it to 0"
        )
    phases = plan_phases(config, data.train.episodes)
    if is_sharded(accelerator):
        frozen = [phase.frozen for phase in phases]
        check_shardable(frozen, config.views, draws_words=len(data.unlearnt) > 0)
    model.freeze(never_trained(phases))
    checkpoint = load_checkpoint(resumption)
    if checkpoint:
        restore_parameters(model, checkpoint.weights)
        for step, values in checkpoint.progress.history:
            tracker.log(step, values)
    run = Run(
        config=config,
        model=model,
        data=data,
        accelerator=accelerator,
        tracker=tracker,
        resumption=resumption,
        phases=phases,
        trained=trained_names(model),
        attention=model.language_model.config._attn_implementation,
        progress=checkpoint.progress if checkpoint else Progress(),
        best=dict(checkpoint.best) if checkpoint else {},
    )
    return run, checkpoint


def start_phase(run: Run, checkpoint: Checkpoint | None) -> PhaseRun:
    """Prepare the phase that the run is in, with an optimiser of its own or a checkpoint's.

    Raises:
        ValueError: nothing is left to train.
    """
    accelerator, phase, model = run.accelerator, run.phase, run.model
    accelerator.free_memory()
    model.freeze(phase.frozen)
    # "eager" is the implementation that tells its attention.
    attention = "eager" if phase.config.guidance else run.attention
    model.language_model.set_attn_implementation(attention)
    weights = (phase.config.guidance, phase.config.naming, phase.config.language)
    module = EpisodeModel(model, run.data.token_weights, *weights)
    prepared, optimizer = accelerator.prepare(module, build_optimizer(model, run.config))
    if checkpoint:
        restore_optimizer(optimizer, checkpoint.optimizer)
        if checkpoint.scaler:
            accelerator.scaler.load_state_dict(dict(checkpoint.scaler))
    prepared.train()
    train_features, train_encoded = _features(run, "train")
    val_features, val_encoded = _features(run, "val")
    at_once = run.config.episodes_at_once(accelerator.num_processes)
    val = _loader(run, run.data.val, val_features, batch_size=at_once)
    return PhaseRun(
        model=prepared,
        optimizer=optimizer,
        train_batches=_train_loader(run, train_features),
        val_batches=accelerator.prepare(val),
        encoded=train_encoded + val_encoded,
    )


def _features(run: Run, split: Literal["train", "val"]) -> tuple[FeatureStore | None, int]:
    """What the phase's frozen eyes see; validation sees the clips as they are."""
    config, data = run.config, run.data
    if not config.views or "vision_model" not in run.phase.frozen:
        return None, 0
    episodes = (data.train if split == "train" else data.val).episodes
    wanted = Wanted(
        folder=run.resumption.folder / FEATURES / split,
        clip_ids=clip_ids_of(episodes.to_batches()),
        views=config.views if split == "train" else 1,
        augment=config.augment if split == "train" else NO_AUGMENTATION,
        seed=config.seed,
    )
    return encode_once(wanted, Eyes(run.model, data.frames, data.preprocessing, run.accelerator))


def _train_loader(run: Run, features: FeatureStore | None) -> DataLoader[Any]:
    """What this process runs of the steps that are left of the phase."""
    accelerator, phase, config = run.accelerator, run.phase, run.config
    part = Part(accelerator.process_index, accelerator.num_processes, config.accumulation_steps)
    batches = PhaseBatches(
        phase.rows,
        phase.epochs,
        phase.sizes,
        config.batch_size,
        config.seed,
        part,
        run.progress.phase_step,
    )
    return _loader(run, run.data.train, features, batch_sampler=batches)


def _loader(
    run: Run, episodes: EpisodeDataset, features: FeatureStore | None, **batching: Any
) -> DataLoader[Any]:
    pad_id = episodes.format.codec.pad_id
    return DataLoader(
        episodes,
        collate_fn=InterleavedCollator(run.data.frames, pad_id, features=features),
        num_workers=run.config.num_workers,
        pin_memory=torch.cuda.is_available(),
        **batching,
    )
