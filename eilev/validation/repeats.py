"""Which questions are asked and which ids are listed twice: eight bytes for each row, in a file."""

import tempfile
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from eilev.episodes.classes import Ints
from eilev.episodes.facts import ClipFacts
from eilev.io import naming_the_full

# What makes asking the same query another question.
ASKED_UNDER = ["kind", "shots", "epoch"]
ASKED = ["query", *ASKED_UNDER]

# A key is a query's number and, in its last bits, that of what it is asked under.
_BITS = 24


class Repeats:
    """The keys of the rows so far, exact for up to 16 million ways of asking.

    Args:
        facts: what is known of the clips.
        asked: names a row: the column of its narration id, and what that occurs under.
    """

    def __init__(self, facts: ClipFacts, asked: Sequence[str] = ASKED):
        self._facts = facts
        self._id, *self._under = asked
        # Without a name, in the folder for temporary files.
        self._keys = tempfile.TemporaryFile()  # noqa: SIM115  # open until all rows are known
        # Queries that are no narrations, and ways of asking, by their numbers.
        self._unknown: dict[Hashable, int] = {}
        self._ways: dict[Hashable, int] = {}

    def add(self, rows: pd.DataFrame, clips: Ints) -> None:
        """Note rows, the positions of whose ids in the facts are known.

        Args:
            rows: the next ones of the table.
            clips: position of each id, -1 for an unknown one (num_rows,).
        """
        numbers = clips.copy()
        for row in np.flatnonzero(clips < 0).tolist():
            name = rows[self._id].iloc[row]
            numbers[row] = len(self._facts.ids) + _number(self._unknown, name)
        keys = (numbers << _BITS) + self._numbered_ways(rows)
        with naming_the_full(Path(tempfile.gettempdir())):
            self._keys.write(keys.tobytes())
            self._keys.flush()

    def rows(self) -> pd.DataFrame:
        """All rows that occur more than once: their row numbers, and what names them."""
        self._keys.seek(0)
        keys = np.frombuffer(self._keys.read(), np.int64)
        ordered = np.sort(keys)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        places = np.flatnonzero(np.isin(keys, twice)) if twice.size else np.empty(0, np.int64)
        queries, ways = keys[places] >> _BITS, keys[places] & ((1 << _BITS) - 1)
        asked_under, unknown = [*self._ways], [*self._unknown]
        known = len(self._facts.ids)
        rows = [
            (self._facts.ids[n] if n < known else unknown[n - known], *asked_under[way])
            for n, way in zip(queries.tolist(), ways.tolist(), strict=True)
        ]
        return pd.DataFrame(rows, columns=[self._id, *self._under], index=places)

    def _numbered_ways(self, rows: pd.DataFrame) -> Ints:
        if not self._under:
            self._ways = {(): 0}
            return np.zeros(len(rows), np.int64)
        # One of 0 rows has no groups.
        groups = rows.groupby(self._under, sort=False, dropna=False)
        found = [_number(self._ways, name) for name, _ in groups]
        return np.array([*found, 0], np.int64)[groups.ngroup().to_numpy("int64")]


def _number(numbers: dict[Hashable, int], name: Hashable) -> int:
    return numbers.setdefault(name, len(numbers))
