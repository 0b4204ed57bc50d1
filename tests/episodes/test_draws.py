import doctest

import numpy as np

from eilev.episodes import draws


def test_worked_examples() -> None:
    assert doctest.testmod(draws).failed == 0


def test_a_row_has_the_same_numbers_in_every_chunk() -> None:
    whole = draws.row_uniforms((3, 1, 4), 0, 50, 10)
    assert whole.shape == (50, 10)
    chunks = [draws.row_uniforms((3, 1, 4), start, 10, 10) for start in range(0, 50, 10)]
    np.testing.assert_array_equal(np.concatenate(chunks), whole)


def test_keys_give_different_numbers() -> None:
    numbers = {draws.row_uniforms((0, key), 0, 1, 1)[0, 0] for key in range(100)}
    assert len(numbers) == 100


def test_every_subset_is_equally_likely() -> None:
    uniforms = np.random.default_rng(0).random((30_000, 2))
    low = np.zeros_like(uniforms, dtype=np.int64)
    high = low + np.array([2, 3])  # two of 0..3
    drawn = np.sort(draws.draw_distinct(low, high, uniforms), axis=1)
    subsets, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(subsets) == 6
    np.testing.assert_allclose(counts / 30_000, 1 / 6, atol=0.01)


def test_shuffle_makes_every_order_equally_likely() -> None:
    rows = np.tile([7, 8, 9], (30_000, 1))
    shuffled = draws.shuffle(rows, np.random.default_rng(0).random(rows.shape))
    _, counts = np.unique(shuffled, axis=0, return_counts=True)
    np.testing.assert_allclose(counts / 30_000, 1 / 6, atol=0.01)
