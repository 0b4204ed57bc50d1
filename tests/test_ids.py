"""Ids found among many, without a Python object for each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from eilev import ids as module
from eilev.ids import ById, Ids


@pytest.mark.parametrize("given", [list, pa.array, pd.Series])
def test_every_id_is_found_where_it_stands_first(given: Callable[[list[str]], Any]) -> None:
    names = [f"clip {number}" for number in range(40_000)]
    ids = Ids(given([*names, names[7]]))
    order = np.random.default_rng(0).permutation(len(names))
    wanted = [names[place] for place in order]
    assert (ids.find(given(wanted)) == order).all()
    assert ids.find(["nobody", names[7], ""]).tolist() == [-1, 7, -1]
    assert (names[9] in ids, "nobody" in ids, 9 in ids) == (True, False, False)
    assert (len(ids), ids[40_000], ids.has_repeats) == (40_001, names[7], True)
    assert not Ids(names).has_repeats


def test_nothing_to_find_or_to_find_it_in() -> None:
    assert Ids([]).find(["a"]).tolist() == [-1]
    assert Ids(["a"]).find([]).tolist() == []
    assert Ids(["a"]).find(pa.array([None, "a"], pa.string())).tolist() == [-1, 0]
    assert not Ids([]).has_repeats


def test_different_ids_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module._hash
    zeros = lambda ids, seed: real(ids, seed) if seed else np.zeros(len(ids), np.uint64)  # noqa: E731
    monkeypatch.setattr(module, "_hash", zeros)
    ids = Ids(["b", "a", "b"])
    assert ids.find(["a", "b", "c"]).tolist() == [1, 0, -1]
    # Equal ones are no reason to look further.
    assert Ids(["b", "b"]).find(["c", "b"]).tolist() == [-1, 0]


def test_values_by_id() -> None:
    texts: ById[str] = ById(Ids(["b", "a"]), pa.array(["second", "first"]))
    assert texts.take(["a", "b", "a"]) == ["first", "second", "first"]
    assert [*texts] == ["second", "first"]
    with pytest.raises(KeyError, match="nobody"):
        texts.take(["a", "nobody"])
