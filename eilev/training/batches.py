"""Which episodes make up each batch, and what becomes of a batch on the device."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from eilev.config.train import AugmentConfig
from eilev.inputs.preprocess import Preprocessing
from eilev.training.augmentation.augment import augment, normalise
from eilev.training.augmentation.draws import seeded_generator
from eilev.training.augmentation.symmetry import apply_symmetries

NO_AUGMENTATION = AugmentConfig(
    randaugment=0,
    crop_scale=(1.0, 1.0),
    horizontal_flip=0.0,
    brightness=0.0,
    contrast=0.0,
    noise=0.0,
    symmetries=False,
)


@dataclass(frozen=True)
class Part:
    """Which part of every step is this process's, and in how many pieces it runs it.

    process: of `num_processes`, counted from 0. pieces: run one after the other.
    """

    process: int = 0
    num_processes: int = 1
    pieces: int = 1


# All of it.
WHOLE = Part()


class PhaseBatches(Sampler[list[int]]):
    """One process's batches of a phase: epoch after epoch, each shuffled by (seed, epoch).

    Which episodes make up a step does not depend on how many processes share it. They are dealt
    so that all processes run about as many clips and none waits long for another. A step may reach
    over the end of an epoch; the last one is filled up with the phase's first episodes.

    Args:
        rows: The phase's rows of the episodes table (num_rows,).
        epochs: Epoch of each of them (num_rows,).
        sizes: Clips of each of them (num_rows,).
        batch_size: Rows per step, a multiple of the pieces of all processes.
        seed: Makes the order the same in every run and process.
        part: What of each step is run here.
        start: Number of leading steps that are left out (a resumed run has seen them).
    """

    drop_last = False

    def __init__(
        self,
        rows: np.ndarray,
        epochs: np.ndarray,
        sizes: np.ndarray,
        batch_size: int,
        seed: int,
        part: Part = WHOLE,
        start: int = 0,
    ):
        orders = [
            np.random.default_rng([seed, epoch]).permutation(np.flatnonzero(epochs == epoch))
            for epoch in np.unique(epochs).tolist()
        ]
        order = np.concatenate(orders)
        self.num_steps = math.ceil(len(order) / batch_size)
        # Places in `rows`.
        self._steps = np.resize(order, (self.num_steps, batch_size))
        self._rows, self._sizes = rows, sizes
        self._part = part
        self._start = start

    def __len__(self) -> int:
        return (self.num_steps - self._start) * self._part.pieces

    def __iter__(self) -> Iterator[list[int]]:
        part = self._part
        for places in self._steps[self._start :]:
            hands = self._dealt(places, part.num_processes * part.pieces)
            for hand in hands[part.process :: part.num_processes]:
                yield self._rows[hand].tolist()

    def _dealt(self, places: np.ndarray, num_hands: int) -> np.ndarray:
        """Deal places from the smallest to the largest, forth and back: (num_hands, each)."""
        rounds = places[np.argsort(self._sizes[places], kind="stable")].reshape(-1, num_hands)
        rounds[1::2] = rounds[1::2, ::-1].copy()
        return rounds.T


def model_inputs(
    batch: Mapping[str, Tensor],
    config: AugmentConfig,
    preprocessing: Preprocessing,
    keys: Sequence[int] = (),
) -> dict[str, Tensor]:
    """Turn the collator's batch into EpisodeModel's inputs: frames become pixel values.

    What frozen eyes have seen passes as it is.

    Args:
        batch: What InterleavedCollator returns.
        config: How the clips are changed.
        preprocessing: Of the model.
        keys: With a clip's own key, what its changes depend on: a run's seed and the step.
    """
    if "frames" not in batch:
        return dict(batch)
    frames, clips = batch["frames"], batch["clip_key"].tolist()
    generators = [seeded_generator(*keys, clip, device=frames.device) for clip in clips]
    with torch.no_grad():
        pixels = augment(frames, config, preprocessing.image_size, generators)
        pixels = apply_symmetries(pixels, batch["symmetry"])
        pixel_values = normalise(pixels, preprocessing)
    used = ("frames", "symmetry", "clip_key")
    rest = {name: value for name, value in batch.items() if name not in used}
    return {"pixel_values": pixel_values, **rest}
