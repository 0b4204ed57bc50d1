"""Answers that are written together; any may join or leave between two tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from eilev.bundle.answers import Answer
from eilev.bundle.rows import Array, Rows, joined
from eilev.bundle.sessions import Value

Logits = npt.NDArray[np.float32]
TokenIds = npt.NDArray[np.int64]


class Decoding(Protocol):
    """What continues rows; see OnnxEngine."""

    def step(self, rows: Rows, tokens: TokenIds) -> tuple[Rows, Logits]:
        """Feed tokens (rows, new) to each row; the new rows and logits (rows, new, vocab_size)."""

    def place(self, array: Array) -> Value:
        """An array where the decoder runs."""


@dataclass
class Batch:
    """The answers that are still being written, one row of the decoder each."""

    engine: Decoding
    answers: list[Answer] = field(default_factory=list)
    _rows: Rows | None = None

    def join(self, rows: Rows, logits: Logits, answers: Sequence[Answer]) -> None:
        """Write the first token of answers to the same prompt, and take in the unfinished ones.

        Args:
            rows: the prompt's row.
            logits: (vocab_size,) after the prompt.
            answers: empty ones.
        """
        for answer in answers:
            answer.add(logits)
        unfinished = [answer for answer in answers if answer.finish_reason is None]
        if not unfinished:
            return
        if len(unfinished) > 1:
            rows = rows.repeated(len(unfinished), self.engine.place)
        self._rows = joined(self._rows, rows, self.engine.place) if self._rows else rows
        self.answers += unfinished

    def step(self) -> None:
        """Write one more token of each answer; those that are finished then leave."""
        if self._rows is None:
            return
        tokens = np.array([answer.tokens[-1:] for answer in self.answers])
        self._rows, logits = self.engine.step(self._rows, tokens)
        for answer, row in zip(self.answers, logits[:, -1], strict=True):
            answer.add(row)
        self.leave(lambda answer: answer.finish_reason is not None)

    def leave(self, gone: Callable[[Answer], bool]) -> None:
        """Let answers go."""
        stay = [number for number, answer in enumerate(self.answers) if not gone(answer)]
        if len(stay) == len(self.answers):
            return
        self.answers = [self.answers[number] for number in stay]
        self._rows = self._rows.taken(stay, self.engine.place) if self._rows and stay else None
