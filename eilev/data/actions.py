"""Verb and noun classes as integer codes."""

import pandas as pd

from eilev.data.distributions import Ints
from eilev.schema import OTHER_VERB

MISSING = -1
CATCH_ALL = -2


def encode_classes(classes: pd.Series) -> tuple[Ints, list[str]]:
    """Number the classes of a column in alphabetical order.

    Codes below zero are no class: `MISSING` for an empty value, `CATCH_ALL` for Ego4D's `[other]`,
    which says nothing about the action (design section 5: they have no bucket).

    Returns:
        Codes (num_rows,), and the name of each code from 0.

    Examples:
        >>> codes, names = encode_classes(pd.Series(["wash", None, "cut", "[other]", "wash"]))
        >>> codes.tolist(), names
        ([1, -1, 0, -2, 1], ['cut', 'wash'])
    """
    names = sorted(set(classes.dropna()) - {OTHER_VERB})
    codes = {name: code for code, name in enumerate(names)} | {OTHER_VERB: CATCH_ALL}
    return classes.map(codes).fillna(MISSING).to_numpy("int64"), names
