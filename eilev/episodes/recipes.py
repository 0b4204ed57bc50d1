"""How an episode is drawn, and in which shares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eilev.config.episodes import EpisodeMixture, Kind, Meaning
from eilev.episodes.classes import Ints
from eilev.episodes.kinds import SAMPLERS
from eilev.vocabulary import KINDS, MEANINGS


@dataclass(frozen=True)
class Recipe:
    """How the context of an episode is drawn and what its words mean."""

    kind: Kind
    meaning: Meaning
    shots: int
    # Actions in a context of several; 1 otherwise.
    ways: int = 1

    @property
    def context_draws(self) -> int:
        """Random numbers that drawing one context takes."""
        return SAMPLERS[self.kind].num_draws(self.shots, self.ways)

    @property
    def draws(self) -> int:
        """Random numbers that one episode takes, its words included."""
        return self.context_draws + 4 * (self.shots + 1)


def mixture_recipes(config: EpisodeMixture) -> tuple[tuple[Recipe, ...], list[float]]:
    """Recipes of a mixture and their shares: an item's share is divided among its shot counts.

    An item whose words are re-assigned takes only shot counts above zero, because without a context
    nothing tells its words; one in ways only those that its ways divide.
    """
    recipes: list[Recipe] = []
    shares: list[float] = []
    for item in config.mixture:
        needs_context = MEANINGS[item.meaning].reassigned or KINDS[item.kind].in_ways
        least = 1 if needs_context else 0
        counts = item.shots or config.shots
        shots = [s for s in counts if s >= least and s % (item.ways or 1) == 0]
        recipes += [Recipe(item.kind, item.meaning, s, item.ways or 1) for s in shots]
        shares += [item.share / len(shots)] * len(shots)
    return tuple(recipes), shares


def round_shares(shares: Sequence[float], total: int) -> Ints:
    """Whole numbers in the given shares that add up to `total` (largest remainders go up).

    >>> round_shares([0.5, 0.3, 0.2], 4).tolist()
    [2, 1, 1]
    """
    exact = np.array(shares) * total
    counts: Ints = np.floor(exact).astype(np.int64)
    largest = np.argsort(counts - exact, kind="stable")
    counts[largest[: total - counts.sum()]] += 1
    return counts
