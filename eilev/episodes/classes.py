"""Verb and noun classes as integer codes, and actions as pairs of them.

A negative code is no class (missing, or a catch-all that says nothing about the action, such as
Ego4D's `[other]`) and is shared with nobody.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.schema import OTHER_VERB

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

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
