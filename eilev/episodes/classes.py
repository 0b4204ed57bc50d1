"""Verb and noun classes as integer codes, actions as pairs of them, and rows by what is in them.

A negative code is no class (missing, or a catch-all that says nothing about the action, such as
Ego4D's `[other]`) and is shared with nobody.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.schema import OTHER_VERB

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.object_]

MISSING = -1
CATCH_ALL = -2


def encode_classes(classes: pd.Series) -> tuple[Ints, list[str]]:
    """Number the classes of a column in alphabetical order.

    Codes below zero are no class: `MISSING` for an empty value, `CATCH_ALL` for Ego4D's `[other]`,
    which says nothing about the action (docs/design.md, section 5: they have no bucket).

    Returns:
        Codes (num_rows,), and the name of each code from 0.

    Examples:
        >>> codes, names = encode_classes(pd.Series(["wash", None, "cut", "[other]", "wash"]))
        >>> codes.tolist(), names
        ([1, -1, 0, -2, 1], ['cut', 'wash'])
    """
    numbers, found = pd.factorize(classes)
    names = sorted(set(found) - {OTHER_VERB})
    codes = {name: code for code, name in enumerate(names)} | {OTHER_VERB: CATCH_ALL}
    # The last one is that of an empty value, which is numbered -1.
    return np.array([*(codes[name] for name in found), MISSING], np.int64)[numbers], names


def shares_class(query: Ints, item: Ints) -> Bools:
    """Whether an item has the query's class; arrays broadcast, negative codes are never shared."""
    same: Bools = (query == item) & (query >= 0)
    return same


def pair_keys(first: Ints, second: Ints) -> Ints:
    """One integer per pair, sorted like the pairs; codes lie in [-2^31, 2^31)."""
    return first * 2**32 + second


def action_numbers(verbs: Ints, nouns: Ints) -> Ints:
    """A number per action, -1 where the verb or the noun class is missing."""
    return np.where((verbs >= 0) & (nouns >= 0), pair_keys(verbs, nouns), -1)


def number_rows(columns: "Iterable[NDArray[np.integer[Any]]]") -> tuple[NDArray[np.int32], Ints]:
    """Number the different rows of columns in the order in which they come.

    Args:
        columns: codes from -1 (num_rows,), at least one column.

    Returns:
        Number of each row (num_rows,), and the first row with each number.

    Examples:
        >>> numbers, first = number_rows([np.array([3, 3, -1, 3]), np.array([0, 1, 0, 0])])
        >>> numbers.tolist(), first.tolist()
        ([0, 1, 2, 0], [0, 1, 2])
    """
    numbers: Any = np.int64(0)
    for codes in columns:
        numbers = pd.factorize(numbers * (int(codes.max(initial=-1)) + 2) + codes + 1)[0]
    highest = np.maximum.accumulate(numbers)
    return numbers.astype(np.int32), np.flatnonzero(np.diff(highest, prepend=-1))


def texts_of(column: pd.Series, missing: str | None) -> Texts:
    """Texts of a column, `missing` where it has none; equal ones are one object."""
    codes, names = pd.factorize(column)
    return np.array([*names, missing], dtype=object)[codes]
