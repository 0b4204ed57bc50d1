"""Which queries are asked twice, of any number of episodes: eight bytes for each of them."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

from eilev.distributions.items import ClipFacts
from eilev.episodes.classes import Ints

# What makes asking the same query another question.
ASKED_UNDER = ["kind", "shots", "epoch"]
ASKED = ["query", *ASKED_UNDER]

# A key is a query's number and, in its last bits, that of what it is asked under.
_BITS = 24


class Repeats:
    """The keys of the episodes so far, exact for up to 16 million ways of asking."""

    def __init__(self, facts: ClipFacts):
        self._facts = facts
        self._keys: list[Ints] = []
        # Queries that are no narrations, and ways of asking, by their numbers.
        self._unknown: dict[Hashable, int] = {}
        self._ways: dict[Hashable, int] = {}

    def add(self, episodes: pd.DataFrame, clips: Ints) -> None:
        """Note episodes (schema.EPISODES), the positions of whose queries in the facts are known.

        Args:
            episodes: the next rows of the table.
            clips: position of each query, -1 for an unknown one (num_episodes,).
        """
        queries = clips.copy()
        for row in np.flatnonzero(clips < 0).tolist():
            name = episodes["query"].iloc[row]
            queries[row] = self._facts.ids.size + _number(self._unknown, name)
        # One of 0 rows has no groups.
        groups = episodes.groupby(ASKED_UNDER, sort=False, dropna=False)
        found = [_number(self._ways, name) for name, _ in groups]
        ways = np.array([*found, 0], np.int64)[groups.ngroup().to_numpy("int64")]
        self._keys.append((queries << _BITS) + ways)

    def rows(self) -> pd.DataFrame:
        """All episodes whose question occurs more than once: their row numbers and ASKED."""
        keys = np.concatenate([np.empty(0, np.int64), *self._keys])
        ordered = np.sort(keys)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        places = np.flatnonzero(np.isin(keys, twice)) if twice.size else np.empty(0, np.int64)
        queries, ways = keys[places] >> _BITS, keys[places] & ((1 << _BITS) - 1)
        asked_under, unknown = [*self._ways], [*self._unknown]
        known = self._facts.ids.size
        rows = [
            (self._facts.ids[n] if n < known else unknown[n - known], *asked_under[way])
            for n, way in zip(queries.tolist(), ways.tolist(), strict=True)
        ]
        return pd.DataFrame(rows, columns=ASKED, index=places)


def _number(numbers: dict[Hashable, int], name: Hashable) -> int:
    return numbers.setdefault(name, len(numbers))
