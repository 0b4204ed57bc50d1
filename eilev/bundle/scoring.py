"""How likely narrations are after a prompt that has been run once."""

from collections.abc import Sequence

import numpy as np

from eilev.bundle.batch import Decoding, Logits
from eilev.bundle.rows import Rows
from eilev.bundle.sampling import mean_log_likelihoods


def score_rows(
    engine: Decoding, rows: Rows, first: Logits, candidates: Sequence[Sequence[int]], chunk: int
) -> list[float]:
    """Mean log-likelihood per token of each candidate.

    Args:
        engine: what continues rows.
        rows: the prompt's row, which is repeated for each of a chunk of candidates.
        first: logits (1, positions, vocab_size) after the prompt; the last position's count.
        candidates: token ids, none of them empty.
        chunk: candidates at a time.
    """
    scores: list[float] = []
    for start in range(0, len(candidates), chunk):
        some = candidates[start : start + chunk]
        # What stands behind a shorter one changes nothing of it.
        ids = np.zeros((len(some), max(map(len, some))), dtype=np.int64)
        for row, tokens in zip(ids, some, strict=True):
            row[: len(tokens)] = tokens
        logits = np.repeat(first[:, -1:], len(some), axis=0)
        if ids.shape[1] > 1:
            _, later = engine.step(rows.repeated(len(some), engine.place), ids[:, :-1])
            logits = np.concatenate([logits, later], axis=1)
        scores += mean_log_likelihoods(logits, ids, [len(tokens) for tokens in some])
    return scores
