"""How the next token is chosen (greedily, or drawn), and how likely tokens are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Row = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Sampling:
    """Rules of a draw, in the order in which transformers applies them.

    temperature: 0 takes the likeliest token. top_k: only so many of the likeliest, None for all.
    top_p: only the likeliest ones that together have this probability. seed: of the draws; None
    draws something else every time.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int | None = None

    def generator(self, number: int) -> np.random.Generator:
        """Source of the draws of one of several answers to the same request."""
        return np.random.default_rng(None if self.seed is None else [self.seed, number])


GREEDY = Sampling()


def log_softmax(logits: Row) -> npt.NDArray[np.float64]:
    """Log-probabilities of the tokens (vocabulary,)."""
    shifted = logits.astype(np.float64) - logits.max()
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result


def choose(logits: Row, sampling: Sampling, generator: np.random.Generator) -> int:
    """Id of the next token, given the logits of all (vocabulary,)."""
    if not sampling.temperature:
        return int(logits.argmax())
    probabilities = draw_probabilities(logits, sampling)
    return int(generator.choice(probabilities.size, p=probabilities))


def draw_probabilities(logits: Row, sampling: Sampling) -> npt.NDArray[np.float64]:
    """Probability of each token to be drawn (vocabulary,), for a temperature above 0."""
    # The likeliest is 0, so that it stays a number at any temperature.
    shifted = logits.astype(np.float64) - logits.max()
    with np.errstate(over="ignore"):
        scores = shifted / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < scores.size:
        least = np.partition(scores, -sampling.top_k)[-sampling.top_k]
        scores = np.where(scores < least, -np.inf, scores)
    kept: npt.NDArray[np.float64] = np.exp(scores - scores.max())
    kept /= kept.sum()
    if sampling.top_p < 1:
        order = np.argsort(-kept, kind="stable")
        before = np.concatenate([[0.0], kept[order].cumsum()[:-1]])
        # The likeliest token always stays.
        kept[order[1:][before[1:] >= sampling.top_p]] = 0.0
        kept /= kept.sum()
    return kept


def mean_log_likelihoods(
    logits: npt.NDArray[np.floating], ids: npt.NDArray[np.int64], lengths: Sequence[int]
) -> list[float]:
    """Mean over the first `lengths` tokens of each row: logits (rows, length, vocabulary)."""
    shifted = logits.astype(np.float32) - logits.max(axis=-1, keepdims=True)
    normaliser = np.log(np.exp(shifted).sum(axis=-1))
    chosen = np.take_along_axis(shifted, ids[..., None], axis=-1)[..., 0] - normaliser
    return [float(row[:length].mean()) for row, length in zip(chosen, lengths, strict=True)]
