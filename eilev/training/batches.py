"""Which episodes make up each batch, and what becomes of a batch on the device."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from eilev.config.train import AugmentConfig
from eilev.inputs.preprocess import Preprocessing
from eilev.training.augmentation.augment import augment, normalise
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


def num_batches(num_rows: int, batch_size: int) -> int:
    """Batches that rows make up; the last may be short."""
    return math.ceil(num_rows / batch_size)


class PhaseBatches(Sampler[list[int]]):
    """The batches of a phase: epoch after epoch, each shuffled by (seed, epoch).

    A batch may reach over the end of an epoch, so that only the phase's last one can be short.

    Args:
        rows: Rows of the episodes table (num_rows,).
        epochs: Epoch of each of them.
        batch_size: Rows per batch.
        seed: Makes the order the same in every run and process.
        start: Number of leading batches that are left out (a resumed run has seen them).
    """

    drop_last = False

    def __init__(
        self, rows: np.ndarray, epochs: np.ndarray, batch_size: int, seed: int, start: int = 0
    ):
        self.batch_size = batch_size
        orders = [
            np.random.default_rng([seed, epoch]).permutation(rows[epochs == epoch])
            for epoch in np.unique(epochs).tolist()
        ]
        self._order = np.concatenate(orders).tolist()
        self._start = start

    def __len__(self) -> int:
        return num_batches(len(self._order), self.batch_size) - self._start

    def __iter__(self) -> Iterator[list[int]]:
        for first in range(self._start * self.batch_size, len(self._order), self.batch_size):
            yield self._order[first : first + self.batch_size]


def model_inputs(
    batch: Mapping[str, Tensor],
    config: AugmentConfig,
    preprocessing: Preprocessing,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Turn the collator's batch into EpisodeModel's inputs: frames become pixel values."""
    with torch.no_grad():
        pixels = augment(batch["frames"], config, preprocessing.image_size, generator)
        pixels = apply_symmetries(pixels, batch["symmetry"])
        pixel_values = normalise(pixels, preprocessing)
    rest = {name: value for name, value in batch.items() if name not in ("frames", "symmetry")}
    return {"pixel_values": pixel_values, **rest}
