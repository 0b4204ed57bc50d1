"""Beam search, token for token that of transformers (5.23, `early_stopping=False`)."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from eilev.bundle.batch import Decoding
from eilev.bundle.rows import Rows
from eilev.bundle.sampling import Row, log_softmax
from eilev.inputs.tokenizer import TextCodec

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Beams:
    """How beams are searched.

    num_beams: sequences that are continued together. length_penalty: exponent of the length by
    which the log-likelihood of a finished one is divided; below 0 prefers short ones.
    max_new_tokens: at which a sequence is finished in any case. ends: tokens that finish it.
    """

    num_beams: int
    length_penalty: float
    max_new_tokens: int
    ends: tuple[int, ...]

    @property
    def num_candidates(self) -> int:
        """Continuations that are looked at: enough, should the best ones all be ends."""
        return max(2, 1 + len(self.ends)) * self.num_beams


@dataclass
class _Search:
    """Finished sequences, the best ones first, and those that go on, likewise."""

    beams: Beams
    finished: list[tuple[float, list[int]]] = field(default_factory=list)
    running: list[list[int]] = field(default_factory=lambda: [[]])
    scores: Scores = field(default_factory=lambda: np.zeros(1, dtype=np.float32))

    def advance(self, logits: npt.NDArray[np.float32]) -> list[int]:
        """Take in the next token's logits (running, vocabulary).

        Returns:
            Of each sequence that goes on, which one it continues.
        """
        log_probs = np.stack([log_softmax(row) for row in logits]).astype(np.float32)
        totals = (log_probs + self.scores[:, None]).ravel()
        best = np.argsort(-totals, kind="stable")[: self.beams.num_candidates]
        parents, tokens = np.divmod(best, logits.shape[1])
        sequences = [
            [*self.running[parent], token]
            for parent, token in zip(parents.tolist(), tokens.tolist(), strict=True)
        ]
        ends = [self._ends(sequence) for sequence in sequences]
        # An end among the further candidates is dropped: they only stand in for others.
        for place in range(min(self.beams.num_beams, len(sequences))):
            if ends[place]:
                self._finish(sequences[place], float(totals[best[place]]))
        stay = [place for place, end in enumerate(ends) if not end][: self.beams.num_beams]
        self.running = [sequences[place] for place in stay]
        self.scores = totals[best[stay]]
        return [int(parents[place]) for place in stay]

    @property
    def over(self) -> bool:
        """Whether no running sequence is better than every finished one, by its present length."""
        if not self.running:
            return True
        if len(self.finished) < self.beams.num_beams:
            return False
        hoped_for = self._score(float(self.scores[0]), len(self.running[0]))
        return hoped_for <= self.finished[-1][0]

    def _ends(self, sequence: list[int]) -> bool:
        return sequence[-1] in self.beams.ends or len(sequence) == self.beams.max_new_tokens

    def _finish(self, sequence: list[int], log_likelihood: float) -> None:
        self.finished.append((self._score(log_likelihood, len(sequence)), sequence))
        self.finished.sort(key=lambda each: -each[0])
        del self.finished[self.beams.num_beams :]

    def _score(self, log_likelihood: float, length: int) -> float:
        return float(log_likelihood / length**self.beams.length_penalty)


def beam_ends(codec: TextCodec, encoder_decoder: bool) -> tuple[int, ...]:
    """Tokens that end a beam: with beams the reference's OPT ends at a newline, too."""
    newline = () if encoder_decoder else codec.newline_ids
    return (codec.eos_id, *(newline if len(newline) == 1 else ()))


def search(engine: Decoding, rows: Rows, logits: Row, beams: Beams) -> list[int]:
    """Find the best continuation of one prompt.

    Args:
        engine: continues rows.
        rows: the prompt's row.
        logits: (vocab_size,) after the prompt.
        beams: how to search.

    Returns:
        Its tokens, the end among them.
    """
    found = _Search(beams)
    following = np.asarray(logits, dtype=np.float32)[None]
    while True:
        parents = found.advance(following)
        if found.over:
            return found.finished[0][1]
        rows = rows.taken(parents, engine.place)
        tokens = np.array([sequence[-1:] for sequence in found.running])
        rows, stepped = engine.step(rows, tokens)
        following = stepped[:, -1]
