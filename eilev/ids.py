"""Where narrations stand in a table, by their ids: twelve bytes for each beside the ids themselves.

A dict or a pandas index holds every id as a Python object, some 200 bytes for each of a million.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eilev.parquet import text_array

# Ids that are Python objects at once.
_CHUNK = 1 << 14
# Ids that are looked for at once.
_FOUND = 1 << 18

T = TypeVar("T")


def id_array(ids: "Iterable[str] | pa.StringArray") -> "pa.StringArray":
    """Ids as one Arrow array."""
    if isinstance(ids, pd.Series):
        return text_array(ids)
    array: Any = ids if isinstance(ids, pa.Array) else pa.array([*ids], pa.string())
    found: pa.StringArray = array.cast(pa.string())
    return found


class Ids:
    """Ids in the order of a table, found by binary search for their hashes.

    Examples:
        >>> ids = Ids(["b", "a", "b"])
        >>> ids.find(["a", "b", "c"]).tolist()
        [1, 0, -1]
    """

    def __init__(self, ids: "Iterable[str] | pa.StringArray"):
        self.array = id_array(ids)
        self._seed = 0
        self._sort()
        # Different ids of one hash: as good as never.
        while self._confused():
            self._seed += 1
            self._sort()

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, place: int) -> str:
        return str(self.array[place])

    def __iter__(self) -> Iterator[str]:
        return map(str, self.array)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.place(name) >= 0

    def find(self, wanted: "Iterable[str] | pa.StringArray") -> NDArray[np.int64]:
        """First place of each of some ids, -1 for one that is not there."""
        array = id_array(wanted)
        starts = range(0, len(array), _FOUND)
        parts = [self._find(array[start : start + _FOUND]) for start in starts]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _find(self, wanted: "pa.StringArray") -> NDArray[np.int64]:
        # Episodes show a clip many times.
        encoded: Any = wanted.dictionary_encode()
        distinct = encoded.dictionary
        places = np.full(len(distinct) + 1, -1, np.int64)  # the last one is that of an empty id
        if len(self) and len(distinct):
            ranks = np.searchsorted(self._hashes, _hash(distinct, self._seed))
            found = self._order[ranks.clip(max=len(self) - 1)]
            same = pc.equal(self.array.take(found), distinct)
            places[:-1] = np.where(same.to_numpy(zero_copy_only=False), found, -1)
        numbers = encoded.indices.fill_null(len(distinct))
        taken: NDArray[np.int64] = places[numbers.to_numpy()]
        return taken

    def place(self, name: str) -> int:
        """First place of an id, -1 if it is not there."""
        return int(self.find([name])[0])

    @property
    def has_repeats(self) -> bool:
        """Whether an id stands there twice."""
        return bool((self._hashes[1:] == self._hashes[:-1]).any())

    def _sort(self) -> None:
        hashes = _hash(self.array, self._seed)
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._order = hashes[order], order.astype(np.int32)

    def _confused(self) -> bool:
        twice = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        pairs = (self.array.take(self._order[twice + step]) for step in (0, 1))
        return not pc.all(pc.equal(*pairs), min_count=0).as_py()


class ById(Generic[T]):
    """A column's values by the ids of its rows.

    Args:
        ids: of the rows.
        values: of each row.
    """

    def __init__(self, ids: Ids, values: "pa.Array[Any]"):
        self.ids, self._values = ids, values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        """Values in the rows' order."""
        for value in self._values:
            yield value.as_py()

    def take(self, names: Sequence[str]) -> list[T]:
        """Values of some ids.

        Raises:
            KeyError: there is no such id.
        """
        places = self.ids.find(names)
        if (places < 0).any():
            raise KeyError(names[int(np.argmin(places))])
        taken: Any = self._values.take(places).to_pylist()
        return list(taken)


def _hash(ids: "pa.StringArray", seed: int) -> NDArray[np.uint64]:
    key = f"{seed:016d}"
    hashes = np.empty(len(ids), np.uint64)
    for start in range(0, len(ids), _CHUNK):
        texts = ids[start : start + _CHUNK].to_numpy(zero_copy_only=False)
        hashes[start : start + _CHUNK] = pd.util.hash_array(texts, hash_key=key, categorize=False)
    return hashes
