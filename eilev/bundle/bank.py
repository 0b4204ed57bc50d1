"""Narrated clips, and those among them that are most like the clip that is asked about.

Alike is what the eyes of a model make of the clips: the cosine of all query tokens side by side
(docs/bank.md says what that was measured against). The search is exact, over all of them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

# (number of clips, query tokens, hidden size)
Features = npt.NDArray[np.float32]
Strategy = Literal["similar", "random"]


class BankFullError(ValueError):
    """There is no room for another example; the message has the figures."""


@dataclass(frozen=True)
class Example:
    """A narrated clip: its id in its bank, and the file it comes from, None if it was sent."""

    id: str
    narration: str
    file: str | None = None


@dataclass(frozen=True)
class Found:
    """An example with its features (query tokens, hidden size) and its cosine to the query."""

    example: Example
    similarity: float
    features: npt.NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True)
class Bank:
    """Examples and their features; nothing in it changes, so any number of threads may use it."""

    max_bytes: int
    examples: tuple[Example, ...]
    features: Features = field(repr=False)

    @classmethod
    def empty(cls, max_bytes: int, num_query_tokens: int, hidden_size: int) -> Self:
        """A bank for features of this shape."""
        return cls(max_bytes, (), np.zeros((0, num_query_tokens, hidden_size), np.float32))

    @property
    def max_examples(self) -> int:
        """How many there is room for in all."""
        return self.max_bytes // (math.prod(self.features.shape[1:]) * self.features.itemsize)

    def extended(self, examples: Sequence[Example], features: Features) -> Self:
        """The bank with these as well.

        Raises:
            BankFullError: there is no room for them.
        """
        number = len(self.examples) + len(examples)
        if number > self.max_examples:
            raise BankFullError(f"{number} examples, there is room for {self.max_examples}")
        every = np.concatenate([self.features, features])
        return replace(self, examples=(*self.examples, *examples), features=every)

    def ranked(
        self, query: Features, strategy: Strategy, seed: int | None = None
    ) -> Iterator[Found]:
        """All examples, the most alike first and of equals the earlier one; or in a drawn order.

        Args:
            query: of the videos that are asked about.
            strategy: "similar", or "random" for an order that is drawn.
            seed: of the draw; None draws another one every time.
        """
        alike = cosines(self.features, query.mean(axis=0))
        order = (
            np.argsort(-alike, kind="stable")
            if strategy == "similar"
            else np.random.default_rng(seed).permutation(len(alike))
        )
        for place in order.tolist():
            yield Found(self.examples[place], float(alike[place]), self.features[place])


def cosines(features: Features, query: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Cosine of each clip's features (number of clips, ...) and the query's (...)."""
    rows, row = features.reshape(len(features), -1), query.reshape(-1)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(row)
    result: npt.NDArray[np.float32] = rows @ row / np.maximum(lengths, np.finfo(np.float32).tiny)
    return result
