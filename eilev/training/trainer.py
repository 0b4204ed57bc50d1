"""The training loop; device, precision and process count come from Accelerate."""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import Tensor
from tqdm import tqdm

from eilev.config.train import TrainConfig
from eilev.model.video_blip import VideoBlip
from eilev.training.augmentation.draws import seeded_generator
from eilev.training.batches import model_inputs
from eilev.training.optim import learning_rate
from eilev.training.result import TrainResult, finish
from eilev.training.resume import (
    Progress,
    Resumption,
    copy_parameters,
)
from eilev.training.run import (
    PhaseRun,
    Run,
    TrainingData,
    diverged,
    start_phase,
    start_run,
)
from eilev.training.sharding import gather, is_sharded
from eilev.training.stopping import Stop, any_signal, stop_signals
from eilev.training.tracking import Tracker
from eilev.training.unlearnt import redraw
from eilev.training.validation import is_better, validate

# Steps between two rows of training metrics.
LOG_EVERY = 10


def train(
    model: VideoBlip,
    data: TrainingData,
    config: TrainConfig,
    accelerator: Accelerator,
    tracker: Tracker,
    resumption: Resumption,
) -> TrainResult:
    """Train through the curriculum's phases and leave the best weights of the last in `model`.

    A phase goes on from the last weights of the one before. Continues from the newest checkpoint of
    the same run, with the same result as if it had never stopped. A signal to
    stop (`eilev.training.stopping`) saves a checkpoint and exits with 128 + its number.

    Raises:
        TrainingError: a loss, a gradient or a weight is not finite.
        ValueError: no episodes to train on or to select by, nothing left to train, a step that the
            processes cannot share evenly, or a checkpoint that is damaged, of another run or cannot
            be written.
    """
    run, checkpoint = start_run(model, data, config, accelerator, tracker, resumption)
    progress = run.progress
    started = time.monotonic() - progress.seconds
    with stop_signals() as stop, _progress_bar(run) as bar:
        for number in range(progress.phase, len(run.phases)):
            if number > progress.phase:
                progress.phase, progress.phase_step, checkpoint = number, 0, None
            if progress.phase_step < run.phase.steps:
                phase = start_phase(run, checkpoint)
                _note_encoded(progress, phase.encoded)
                _train_phase(run, phase, started, stop, bar)
                if is_sharded(accelerator):
                    gather(phase.model, keep=accelerator.is_main_process)
            if len(progress.phase_ends) <= number:
                progress.phase_ends.append(time.monotonic() - started)
    return finish(run)


def _note_encoded(progress: Progress, count: int) -> None:
    """Count what the phase has encoded; a resumed one finds it written."""
    progress.encoded += [0] * (progress.phase + 1 - len(progress.encoded))
    progress.encoded[progress.phase] += count


def _train_phase(run: Run, phase: PhaseRun, started: float, stop: Stop, bar: "tqdm[Any]") -> None:
    """Take the steps that are left of the run's phase; `started` is as if in one sitting."""
    config, accelerator, progress = run.config, run.accelerator, run.progress
    # Where clips are only named, the language model that scores them costs more than the training.
    told = run.phase.config.language > 0
    meter = _Meter(accelerator)
    for index, batch in enumerate(phase.train_batches):
        with accelerator.accumulate(phase.model):
            meter.add(_forward_backward(run, phase, batch, index % config.accumulation_steps))
        if not accelerator.sync_gradients:
            continue
        loss, weight = meter.take_step()
        if not math.isfinite(loss):
            raise diverged(run, progress.step + 1, "the loss", loss)
        _update(run, phase, weight)
        progress.step += 1
        progress.phase_step += 1
        progress.losses.append(loss)
        bar.update()
        last = progress.phase_step == run.phase.steps
        if last or progress.step % LOG_EVERY == 0:
            _log_training(run, phase)
            _show(run, meter.clips_per_s(), bar)
        if last or (told and progress.step % config.validate_every == 0):
            _validate(run, phase)
        progress.seconds = time.monotonic() - started
        stopping = any_signal(accelerator, stop.signal)
        if stopping or progress.step % config.checkpoint_every == 0:
            run.save(phase.optimizer)
        if stopping:
            _tell_stopped(run)
            raise SystemExit(128 + stopping)


@dataclass
class _Meter:
    """Sums over a step of all processes, and clips per second between two looks at it."""

    accelerator: Accelerator

    def __post_init__(self) -> None:
        self._pieces: list[Tensor] = []
        self._clips = 0.0
        self._since = time.monotonic()

    def add(self, piece: Tensor) -> None:
        """Take what `_forward_backward` returns."""
        self._pieces.append(piece)

    def take_step(self) -> tuple[float, float]:
        """Return the mean loss of a step and the sum of its labels' weights, and start the next."""
        sums = self.accelerator.reduce(torch.stack(self._pieces).sum(0), "sum")
        loss, weight, clips = sums.tolist()
        self._pieces.clear()
        self._clips += clips
        return loss / weight, weight

    def clips_per_s(self) -> float:
        now = time.monotonic()
        rate = self._clips / (now - self._since)
        self._clips, self._since = 0.0, now
        return rate


def _forward_backward(run: Run, phase: PhaseRun, batch: Mapping[str, Tensor], piece: int) -> Tensor:
    """Gradients of one piece of a step; its summed loss, summed weights and number of clips."""
    accelerator, step = run.accelerator, run.progress.step
    # Dropout draws from the global generator, in each piece of a step otherwise.
    place = piece * accelerator.num_processes + accelerator.process_index
    torch.manual_seed(seeded_generator(run.config.seed, step, place).initial_seed())
    if not piece and len(run.data.unlearnt):
        redraw(run.model, run.data.unlearnt, run.data.learnt, run.config.seed, step)
    inputs = model_inputs(
        send_to_device(batch, accelerator.device, non_blocking=True),
        run.config.augment,
        run.data.preprocessing,
        (run.config.seed, step),
    )
    output = phase.model(**inputs)
    loss = output["loss"] * output["weight"]
    accelerator.backward(loss)
    return torch.stack([loss.detach(), output["weight"], loss.new_tensor(len(batch["clip_index"]))])


def _update(run: Run, phase: PhaseRun, weight: float) -> None:
    """Make the gradients those of the step's weighted mean and follow them.

    Accelerate has taken the mean of the sums of all pieces; how much these weigh is known now.
    """
    config, accelerator, progress = run.config, run.accelerator, run.progress
    factor = accelerator.num_processes * config.accumulation_steps / weight
    for parameter in phase.model.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(factor)
    norm = accelerator.clip_grad_norm_(phase.model.parameters(), config.max_grad_norm)
    # Under fp16 the scaler leaves such a step out, and goes on with a smaller scale.
    if accelerator.scaler is None and not math.isfinite(norm):
        raise diverged(run, progress.step + 1, "the gradient's norm", float(norm))
    rate = learning_rate(progress.phase_step, run.phase.steps, config, run.phase.config)
    for group in phase.optimizer.param_groups:
        group["lr"] = rate
    phase.optimizer.step()
    phase.optimizer.zero_grad()


def _tell_stopped(run: Run) -> None:
    if run.accelerator.is_main_process:
        tqdm.write(f"stopped at step {run.progress.step}, resumable", sys.stderr)


def _log_training(run: Run, phase: PhaseRun) -> None:
    progress = run.progress
    values = {
        "loss": sum(progress.losses) / len(progress.losses),
        "learning_rate": phase.optimizer.param_groups[0]["lr"],
        "phase": progress.phase,
    }
    progress.losses.clear()
    run.log({f"train/{name}": value for name, value in values.items()})


def _show(run: Run, clips_per_s: float, bar: "tqdm[Any]") -> None:
    """Tell the bar what the record does not have: speed is another one every time."""
    loss = run.progress.history[-1][1]["train/loss"]
    bar.set_description(f"train, {run.phase.config.name}", refresh=False)
    figures = {"loss": f"{loss:.3f}", "val": f"{run.progress.best_score:.3f}"}
    bar.set_postfix(figures, clips_per_s=f"{clips_per_s:.0f}", refresh=False)


def _validate(run: Run, phase: PhaseRun) -> None:
    """Score the model; keep its weights where it is the best of the last phase so far."""
    progress = run.progress
    scores = validate(phase.model, phase.val_batches, run.data.preprocessing, run.accelerator)
    if not math.isfinite(scores.loss):
        raise diverged(run, progress.step, "the validation loss", scores.loss)
    run.log(
        {
            "val/loss": scores.loss,
            "val/exact": scores.exact,
            "val/token_accuracy": scores.token_accuracy,
        }
    )
    if progress.phase < len(run.phases) - 1:
        return
    best = (progress.best_score, progress.best_loss)
    if progress.best_step is None or is_better(scores, *best, run.config.select_by):
        progress.best_step = progress.step
        progress.best_score, progress.best_loss = scores.exact, scores.loss
        run.best = copy_parameters(run.model, run.trained)


def _progress_bar(run: Run) -> "tqdm[Any]":
    return tqdm(
        total=run.num_steps,
        initial=run.progress.step,
        desc="train",
        unit="step",
        disable=not run.accelerator.is_main_process,
    )
