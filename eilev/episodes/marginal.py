"""Which clips are asked about when the action frequencies are reshaped (the paper's skew)."""

import numpy as np

from eilev.config.episodes import Marginal
from eilev.episodes.classes import Ints
from eilev.episodes.recipes import round_shares


class MarginalError(ValueError):
    """There are fewer actions than the marginal asks for."""


def draw_marginal(actions: Ints, marginal: Marginal, rng: np.random.Generator) -> Ints:
    """Draw as many clips as there are, the r-th most frequent action in proportion to r^-exponent.

    Every clip of an action is taken equally often, but for a random remainder: rare actions are
    repeated, frequent ones thinned out.

    Args:
        actions: number of each clip's action (num_clips,), negative for none.
        marginal: how many actions, and how skewed.
        rng: decides which clips make up remainders.

    Returns:
        Rows of `actions` (num_clips,), sorted, repeats included.

    Raises:
        MarginalError: there are fewer actions than `top_actions`.

    Examples:
        Four clips of action 7, two of action 3, two equally frequent actions wanted:

        >>> wanted = Marginal(top_actions=2, zipf_exponent=0.0)
        >>> actions = np.array([7, 7, 3, 7, 3, 7])
        >>> actions[draw_marginal(actions, wanted, np.random.default_rng(0))].tolist().count(3)
        3
    """
    named = np.flatnonzero(actions >= 0)
    found, codes, counts = np.unique(actions[named], return_inverse=True, return_counts=True)
    if found.size < marginal.top_actions:
        raise MarginalError(
            f"marginal.top_actions is {marginal.top_actions}, but the"
            f" split has {found.size} actions"
        )
    ranked = np.argsort(-counts, kind="stable")[: marginal.top_actions]
    weights = np.arange(1, ranked.size + 1, dtype=np.float64) ** -marginal.zipf_exponent
    sizes = round_shares((weights / weights.sum()).tolist(), actions.size)
    drawn = [
        np.resize(rng.permutation(named[codes == code]), size)
        for code, size in zip(ranked.tolist(), sizes.tolist(), strict=True)
    ]
    return np.sort(np.concatenate(drawn))
