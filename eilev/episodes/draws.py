"""Random numbers that belong to a row, and exact draws without replacement from them."""

from collections.abc import Sequence

import numpy as np

from eilev.episodes.classes import Floats, Ints


def row_uniforms(key: Sequence[int], start: int, num_rows: int, draws: int) -> Floats:
    """Uniform numbers in [0, 1) of rows start, start + 1, ..., the same in whichever chunk.

    Philox is a counter-based generator: a row's numbers are found by jumping there.

    Args:
        key: what the numbers depend on beside the row, e.g. (seed, split, epoch).
        start: first row.
        num_rows: rows wanted.
        draws: numbers per row.

    Returns:
        (num_rows, draws)

    Examples:
        >>> bool((row_uniforms((7,), 2, 1, 3) == row_uniforms((7,), 0, 9, 3)[2]).all())
        True
    """
    # Philox makes four numbers per step of its counter: a row takes whole steps.
    steps = -(-draws // 4)
    bits = np.random.Philox(np.random.SeedSequence(key)).advance(start * steps)
    return np.random.Generator(bits).random((num_rows, 4 * steps))[:, :draws]


def draw_distinct(low: Ints, high: Ints, uniforms: Floats) -> Ints:
    """Draw distinct integers, one per slot, by Floyd's algorithm (no rejection).

    To draw k of the n integers low..low+n-1, give k slots that `low` and high = low+n-k, ...,
    low+n-1, in this order. Slots with other, disjoint intervals may share the row.

    Args:
        low: least integer of each slot (num_rows, num_slots).
        high: greatest integer of each slot (num_rows, num_slots).
        uniforms: in [0, 1), (num_rows, num_slots).

    Returns:
        (num_rows, num_slots): each k-subset equally likely, its order not.

    Examples:
        Three of 5..8, and both of 20 and 21:

        >>> low, high = np.array([[5, 5, 5, 20, 20]]), np.array([[6, 7, 8, 20, 21]])
        >>> draw_distinct(low, high, np.array([[0.9, 0.4, 0.3, 0.5, 0.2]])).tolist()
        [[6, 7, 8, 20, 21]]
    """
    drawn = low + (uniforms * (high - low + 1)).astype(np.int64)
    for slot in range(1, drawn.shape[1]):
        taken = (drawn[:, :slot] == drawn[:, slot, None]).any(axis=1)
        drawn[taken, slot] = high[taken, slot]
    return drawn


def shuffle(rows: Ints, uniforms: Floats) -> Ints:
    """Shuffle each row of `rows`; both arrays (num_rows, num_slots)."""
    return np.take_along_axis(rows, np.argsort(uniforms, axis=1), axis=1)
