"""What a training run is made of, fresh or restored from its checkpoint."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from eilev.clips.cache import ClipCache
from eilev.config.train import TrainConfig
from eilev.inputs.preprocess import Preprocessing
from eilev.model.video_blip import VideoBlip
from eilev.training.batches import Part, RunBatches
from eilev.training.collator import InterleavedCollator
from eilev.training.dataset import EpisodeDataset
from eilev.training.episode_model import EpisodeModel
from eilev.training.optim import build_optimizer
from eilev.training.resume import (
    Checkpoint,
    Progress,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    restore_parameters,
    save_checkpoint,
    trained_parameters,
)
from eilev.training.tracking import Tracker


@dataclass(frozen=True)
class TrainingData:
    """What a run reads."""

    train: EpisodeDataset
    val: EpisodeDataset
    frames: ClipCache
    preprocessing: Preprocessing
    # (vocabulary,) weight of each target token in the loss.
    token_weights: Tensor


@dataclass(frozen=True)
class Resumption:
    """Where checkpoints lie, and the fingerprint of the run that may use them."""

    folder: Path
    fingerprint: str


@dataclass
class Run:
    """The moving parts of a run; all but `train_batches` are in Accelerate's wrappers."""

    config: TrainConfig
    data: TrainingData
    accelerator: Accelerator
    tracker: Tracker
    resumption: Resumption
    model: Any
    optimizer: Any
    # This process's pieces of the steps that are left, on the CPU.
    train_batches: DataLoader[Any]
    val_batches: Any
    num_steps: int
    progress: Progress
    # Trained parameters of the best model so far.
    best: dict[str, Tensor]

    @property
    def inner_model(self) -> VideoBlip:
        """The model without wrappers."""
        model: VideoBlip = self.accelerator.unwrap_model(self.model).model
        return model

    def log(self, values: dict[str, float]) -> None:
        """Record values of the current step."""
        self.progress.history.append((self.progress.step, values))
        self.tracker.log(self.progress.step, values)

    def save(self) -> None:
        """Write a checkpoint from the main process; the others do not wait for it."""
        if not self.accelerator.is_main_process:
            return
        scaler = self.accelerator.scaler
        checkpoint = Checkpoint(
            progress=self.progress,
            weights=trained_parameters(self.inner_model),
            optimizer=optimizer_tensors(self.optimizer),
            best=self.best,
            scaler=None if scaler is None else scaler.state_dict(),
        )
        save_checkpoint(checkpoint, self.resumption.folder, self.resumption.fingerprint)


def start_run(
    model: VideoBlip,
    data: TrainingData,
    config: TrainConfig,
    accelerator: Accelerator,
    tracker: Tracker,
    resumption: Resumption,
) -> Run:
    """Prepare a run; where a checkpoint of the same run lies, everything is as it was then.

    Raises:
        ValueError: no episodes to train on or to select by, nothing left to train, or a step that
            the processes cannot share evenly.
    """
    at_once = config.episodes_at_once(accelerator.num_processes)
    for name, episodes in (("train", data.train), ("val", data.val)):
        if not len(episodes):
            raise ValueError(f"the {name} episodes are empty; see episodes.{name} in params.yaml")
    optimizer = build_optimizer(model, config)
    checkpoint = load_checkpoint(resumption.folder, resumption.fingerprint)
    if checkpoint:
        restore_parameters(model, checkpoint.weights)
    if config.guidance:
        model.language_model.set_attn_implementation("eager")  # the one that tells its attention
    module = EpisodeModel(model, data.token_weights, config.guidance)
    prepared, optimizer = accelerator.prepare(module, optimizer)
    if checkpoint:
        restore_optimizer(optimizer, checkpoint.optimizer)
        if checkpoint.scaler:
            accelerator.scaler.load_state_dict(dict(checkpoint.scaler))
        for step, values in checkpoint.progress.history:
            tracker.log(step, values)
    prepared.train()
    progress = checkpoint.progress if checkpoint else Progress()
    train_loader, num_steps = _train_loader(data, config, accelerator, progress.step)
    val_loader = _loader(data.val, data.frames, config, batch_size=at_once)
    return Run(
        config=config,
        data=data,
        accelerator=accelerator,
        tracker=tracker,
        resumption=resumption,
        model=prepared,
        optimizer=optimizer,
        train_batches=train_loader,
        val_batches=accelerator.prepare(val_loader),
        num_steps=num_steps,
        progress=progress,
        best=dict(checkpoint.best) if checkpoint else {},
    )


def _train_loader(
    data: TrainingData, config: TrainConfig, accelerator: Accelerator, steps_done: int
) -> tuple[DataLoader[Any], int]:
    """What this process runs after some steps, and the number of steps of the whole run."""
    rows = data.train.episodes
    epochs, sizes = (np.array([row[name] for row in rows]) for name in ("epoch", "shots"))
    part = Part(accelerator.process_index, accelerator.num_processes, config.accumulation_steps)
    sampler = RunBatches(epochs, sizes, config.batch_size, config.seed, part, steps_done)
    return _loader(data.train, data.frames, config, batch_sampler=sampler), sampler.num_steps


def _loader(
    episodes: EpisodeDataset, frames: ClipCache, config: TrainConfig, **batching: Any
) -> DataLoader[Any]:
    return DataLoader(
        episodes,
        collate_fn=InterleavedCollator(frames, episodes.format.codec.pad_id),
        num_workers=config.num_workers,
        pin_memory=torch.cuda.is_available(),
        **batching,
    )
