"""Sequences that a decoder continues together: their keys, values and masks.

Rows may be of different lengths: padding is on the left and masked, and positions count what is
not masked, so that rows come and go between two steps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eilev.bundle.manifest import CacheShape
from eilev.bundle.sessions import Value

Mask = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
# From an array to where the graphs run.
Place = Callable[[Array], Value]


@dataclass(frozen=True)
class Rows:
    """Immutable: each step makes new ones.

    mask: (rows, positions). cache: keys and values (rows, heads, positions, head size) by the name
    of the decoder's input. encoder_mask and cross: the same of an encoder, which no step changes.
    """

    mask: Mask
    cache: Mapping[str, Value]
    encoder_mask: Mask | None = None
    cross: Mapping[str, Value] | None = None

    @property
    def num_bytes(self) -> int:
        """Of all keys and values."""
        values = [*self.cache.values(), *(self.cross or {}).values()]
        return sum(value.tensor_size_in_bytes() for value in values)

    def repeated(self, times: int, place: Place) -> "Rows":
        """Each row `times` times, the same ones beside each other."""
        return self.taken(np.repeat(np.arange(len(self.mask)), times), place)

    def taken(self, numbers: Sequence[int] | npt.NDArray[np.intp], place: Place) -> "Rows":
        """These rows, without the padding that none of them needs."""
        mask, cache = _cut(self.mask[numbers], _each(self.cache, lambda array: array[numbers]))
        if self.cross is None or self.encoder_mask is None:
            return Rows(mask, _placed(cache, place))
        encoder_mask = self.encoder_mask[numbers]
        encoder_mask, cross = _cut(encoder_mask, _each(self.cross, lambda array: array[numbers]))
        return Rows(mask, _placed(cache, place), encoder_mask, _placed(cross, place))

    def beginning(self, length: int, place: Place) -> "Rows":
        """The first positions of a single row of a decoder without an encoder."""
        cache = _each(self.cache, lambda array: array[:, :, :length].copy())
        return Rows(self.mask[:, :length].copy(), _placed(cache, place))


def no_positions(shape: CacheShape, dtype: type[np.floating[Any]], place: Place) -> Rows:
    """A row that has seen nothing yet, with keys and values of a type."""
    empty = np.zeros((1, shape.num_heads, 0, shape.head_dim), dtype=dtype)
    names = [
        f"past_{part}_{layer}" for layer in range(shape.num_layers) for part in ("key", "value")
    ]
    return Rows(np.zeros((1, 0), np.int64), _placed(dict.fromkeys(names, empty), place))


def joined(first: Rows, second: Rows, place: Place) -> Rows:
    """The rows of both."""
    mask = _stack_masks(first.mask, second.mask)
    cache = _placed(_stack(first.cache, second.cache), place)
    if first.cross is None or second.cross is None:
        return Rows(mask, cache)
    assert first.encoder_mask is not None  # noqa: S101  (it comes with `cross`)
    assert second.encoder_mask is not None  # noqa: S101
    encoder_mask = _stack_masks(first.encoder_mask, second.encoder_mask)
    return Rows(mask, cache, encoder_mask, _placed(_stack(first.cross, second.cross), place))


def _each(values: Mapping[str, Value], change: Callable[[Array], Array]) -> dict[str, Array]:
    return {name: change(value.numpy()) for name, value in values.items()}


def _placed(arrays: Mapping[str, Array], place: Place) -> dict[str, Value]:
    return {name: place(array) for name, array in arrays.items()}


def _cut(mask: Mask, arrays: dict[str, Array]) -> tuple[Mask, dict[str, Array]]:
    start = int(np.argmax(mask.any(axis=0))) if mask.size else 0
    return mask[:, start:], {name: array[:, :, start:] for name, array in arrays.items()}


def _stack_masks(first: Mask, second: Mask) -> Mask:
    length = max(first.shape[1], second.shape[1])
    return np.concatenate(
        [np.pad(mask, ((0, 0), (length - mask.shape[1], 0))) for mask in (first, second)]
    )


def _stack(first: Mapping[str, Value], second: Mapping[str, Value]) -> dict[str, Array]:
    pairs = {name: (first[name].numpy(), second[name].numpy()) for name in first}
    return {name: _stack_pair(*pair) for name, pair in pairs.items()}


def _stack_pair(first: Array, second: Array) -> Array:
    length = max(first.shape[2], second.shape[2])
    heads, size = first.shape[1], first.shape[3]
    both = np.zeros((len(first) + len(second), heads, length, size), first.dtype)
    both[: len(first), :, length - first.shape[2] :] = first
    both[len(first) :, :, length - second.shape[2] :] = second
    return both
