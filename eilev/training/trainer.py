"""The training loop; device, precision, accumulation and process count come from Accelerate."""

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from eilev.config import TrainConfig
from eilev.data.augment import seeded_generator
from eilev.data.collator import InterleavedCollator
from eilev.data.dataset import EpisodeDataset, Frames
from eilev.data.preprocess import Preprocessing
from eilev.model.video_blip import VideoBlip
from eilev.training.batches import EpisodeModel, RunBatches, model_inputs
from eilev.training.optim import build_optimizer, learning_rate
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
from eilev.training.validation import Scores, is_better, validate

# Steps between two rows of training metrics.
LOG_EVERY = 10


class TrainingError(ValueError):
    """The run cannot go on; the message says at which step and what to change."""


@dataclass(frozen=True)
class TrainingData:
    """What a run reads."""

    train: EpisodeDataset
    val: EpisodeDataset
    frames: Frames
    preprocessing: Preprocessing


@dataclass(frozen=True)
class Resumption:
    """Where checkpoints lie, and the fingerprint of the run that may use them."""

    folder: Path
    fingerprint: str


@dataclass(frozen=True)
class TrainResult:
    """What a run came to; scores are those of the best model, which `train` leaves in place."""

    steps: int
    seconds: float
    best_step: int
    val_score: float
    val_loss: float
    train_loss: float


@dataclass
class _Run:
    """The moving parts of a run."""

    config: TrainConfig
    data: TrainingData
    accelerator: Accelerator
    tracker: Tracker
    resumption: Resumption
    model: Any
    optimizer: Any
    train_batches: Any
    val_batches: Any
    num_steps: int
    progress: Progress
    best: dict[str, Tensor]


def train(
    model: VideoBlip,
    data: TrainingData,
    config: TrainConfig,
    accelerator: Accelerator,
    tracker: Tracker,
    resumption: Resumption,
) -> TrainResult:
    """Train on the epochs of the training episodes and leave the best weights in `model`.

    Continues from the newest checkpoint of the same run, with the same result as if it had never
    stopped. On SIGTERM a checkpoint is saved and the process exits with 143.

    Raises:
        TrainingError: the loss is not finite.
        ValueError: nothing to train on, or nothing left to train.
    """
    run = _start(model, data, config, accelerator, tracker, resumption)
    progress = run.progress
    started = time.monotonic() - progress.seconds
    bar = tqdm(
        total=run.num_steps,
        initial=progress.step,
        desc="train",
        unit="step",
        disable=not accelerator.is_main_process,
    )
    micro_losses: list[Tensor] = []
    clips = 0
    logged = time.monotonic()
    with _stop_signal() as stop, bar:
        for index, batch in enumerate(
            run.train_batches, start=progress.step * accelerator.gradient_accumulation_steps
        ):
            with accelerator.accumulate(run.model):
                micro_losses.append(_micro_step(run, batch, index))
            clips += len(batch["clip_index"]) * accelerator.num_processes
            if not accelerator.sync_gradients:
                continue
            progress.step += 1
            progress.losses.append(_finite_mean(micro_losses, progress.step))
            micro_losses.clear()
            bar.update()
            if progress.step % LOG_EVERY == 0 or progress.step == run.num_steps:
                now = time.monotonic()
                _log_training(run, clips / (now - logged), bar)
                clips, logged = 0, now
            if progress.step % config.validate_every == 0 or progress.step == run.num_steps:
                _validate(run)
            progress.seconds = time.monotonic() - started
            if stop.is_set() or progress.step % config.checkpoint_every == 0:
                _save(run)
            if stop.is_set():
                raise SystemExit(128 + signal.SIGTERM)
    return _finish(run, model)


def _start(
    model: VideoBlip,
    data: TrainingData,
    config: TrainConfig,
    accelerator: Accelerator,
    tracker: Tracker,
    resumption: Resumption,
) -> _Run:
    """Prepare everything, restore a checkpoint of the same run where there is one."""
    if not len(data.train) or not len(data.val):
        raise ValueError("the train or the val episodes are empty: nothing to train or to select on")
    optimizer = build_optimizer(model, config)
    checkpoint = load_checkpoint(resumption.folder, resumption.fingerprint)
    progress = checkpoint.progress if checkpoint else Progress()
    if checkpoint:
        restore_parameters(model, checkpoint.weights)
    prepared, optimizer = accelerator.prepare(EpisodeModel(model), optimizer)
    if checkpoint:
        restore_optimizer(optimizer, checkpoint.optimizer)
        if checkpoint.scaler:
            accelerator.scaler.load_state_dict(dict(checkpoint.scaler))
    for step, values in progress.history:
        tracker.log(step, values)
    epochs = np.array([row["epoch"] for row in data.train.episodes])
    per_step = accelerator.num_processes * accelerator.gradient_accumulation_steps
    sampler = RunBatches(epochs, config.batch_size, config.seed, progress.step * per_step)
    num_steps = progress.step + math.ceil(len(sampler) / per_step)
    prepared.train()
    return _Run(
        config=config,
        data=data,
        accelerator=accelerator,
        tracker=tracker,
        resumption=resumption,
        model=prepared,
        optimizer=optimizer,
        train_batches=accelerator.prepare(_loader(data.train, data, config, batch_sampler=sampler)),
        val_batches=accelerator.prepare(
            _loader(data.val, data, config, batch_size=config.batch_size)
        ),
        num_steps=num_steps,
        progress=progress,
        best=dict(checkpoint.best) if checkpoint else {},
    )


def _loader(
    episodes: EpisodeDataset, data: TrainingData, config: TrainConfig, **batching: Any
) -> DataLoader[Any]:
    collator = InterleavedCollator(data.frames, episodes.format.codec.pad_id)
    return DataLoader(
        episodes,
        collate_fn=collator,
        num_workers=config.num_workers,
        pin_memory=torch.cuda.is_available(),
        **batching,
    )


def _micro_step(run: _Run, batch: Mapping[str, Tensor], index: int) -> Tensor:
    """Forward and backward of one batch, and the update where its gradients are complete."""
    config, accelerator = run.config, run.accelerator
    generator = seeded_generator(
        config.seed, index, accelerator.process_index, device=accelerator.device
    )
    # Dropout draws from the global generator.
    torch.manual_seed(generator.initial_seed())
    inputs = model_inputs(batch, config.augment, run.data.preprocessing, generator)
    loss: Tensor = run.model(**inputs).loss
    accelerator.backward(loss)
    if accelerator.sync_gradients:
        accelerator.clip_grad_norm_(run.model.parameters(), config.max_grad_norm)
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(run.progress.step, run.num_steps, config)
    # Both do nothing while gradients accumulate.
    run.optimizer.step()
    run.optimizer.zero_grad()
    return loss.detach()


def _finite_mean(losses: list[Tensor], step: int) -> float:
    mean = float(torch.stack(losses).mean())
    if not math.isfinite(mean):
        raise TrainingError(
            f"the loss of step {step} is {mean}: lower train.learning_rate or train.max_grad_norm, "
            "or train in a wider number format"
        )
    return mean


def _log_training(run: _Run, clips_per_s: float, bar: "tqdm[Any]") -> None:
    progress = run.progress
    loss = sum(progress.losses) / len(progress.losses)
    progress.losses.clear()
    rate = run.optimizer.param_groups[0]["lr"]
    _log(run, {"train/loss": loss, "train/lr": rate, "train/clips_per_s": clips_per_s})
    bar.set_postfix(loss=f"{loss:.3f}", val=f"{progress.best_score:.3f}", refresh=False)


def _log(run: _Run, values: dict[str, float]) -> None:
    run.progress.history.append((run.progress.step, values))
    run.tracker.log(run.progress.step, values)


def _validate(run: _Run) -> None:
    """Score the model; keep its weights where it is the best so far."""
    progress = run.progress
    scores: Scores = validate(
        run.model,
        run.val_batches,
        run.data.preprocessing,
        run.accelerator,
        encoder_decoder=run.data.val.format.encoder_decoder,
    )
    _log(
        run,
        {
            "val/loss": scores.loss,
            "val/exact": scores.exact,
            "val/token_accuracy": scores.token_accuracy,
        },
    )
    select_by = run.config.select_by
    if progress.best_step is None or is_better(
        scores, progress.best_score, progress.best_loss, select_by
    ):
        progress.best_step = progress.step
        progress.best_score, progress.best_loss = scores.exact, scores.loss
        run.best = trained_parameters(run.accelerator.unwrap_model(run.model).model)


def _save(run: _Run) -> None:
    """Save a checkpoint from the main process; no process waits, so a signal cannot deadlock."""
    if not run.accelerator.is_main_process:
        return
    scaler = run.accelerator.scaler
    checkpoint = Checkpoint(
        progress=run.progress,
        weights=trained_parameters(run.accelerator.unwrap_model(run.model).model),
        optimizer=optimizer_tensors(run.optimizer),
        best=run.best,
        scaler=scaler.state_dict() if scaler is not None else None,
    )
    save_checkpoint(checkpoint, run.resumption.folder, run.resumption.fingerprint)


def _finish(run: _Run, model: VideoBlip) -> TrainResult:
    progress = run.progress
    restore_parameters(model, run.best)
    model.eval()
    assert progress.best_step is not None  # the last step is always validated
    last_rows = [values["train/loss"] for _, values in progress.history if "train/loss" in values]
    return TrainResult(
        steps=progress.step,
        seconds=round(progress.seconds, 1),
        best_step=progress.best_step,
        val_score=progress.best_score,
        val_loss=progress.best_loss,
        train_loss=last_rows[-1],
    )


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM sets, instead of ending the process in the middle of a step."""
    stop = threading.Event()
    previous = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, previous)
