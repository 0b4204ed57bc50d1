"""Worked examples are doctests; here are limits, invariances and bad input."""

import doctest

import numpy as np
import pytest

from eilev.distributions import properties


def test_worked_examples() -> None:
    result = doctest.testmod(properties)
    assert result.attempted >= 10
    assert result.failed == 0


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_zipf_exponent_is_found_again_from_a_sample(exponent: float) -> None:
    weights = np.arange(1, 201.0) ** -exponent
    counts = np.random.default_rng(0).multinomial(200_000, weights / weights.sum())
    assert properties.zipf_exponent(counts) == pytest.approx(exponent, abs=0.02)


def test_zipf_exponent_ignores_order_and_absent_classes() -> None:
    assert properties.zipf_exponent([1, 0, 9, 3]) == properties.zipf_exponent([9, 3, 1])


def test_zipf_exponent_of_extreme_skew_is_large() -> None:
    assert properties.zipf_exponent([10**9, 1]) > 20


@pytest.mark.parametrize("counts", [[], [5], [0, 0], [3, -1]])
def test_zipf_exponent_refuses_counts_without_a_tail(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="class"):
        properties.zipf_exponent(counts)


def test_random_shares_agree_with_simulation() -> None:
    rng = np.random.default_rng(0)
    verbs, nouns = rng.integers(-1, 4, 400), rng.integers(-1, 5, 400)
    query_verbs, query_nouns = np.array([2, -1, 0]), np.array([3, 1, -1])
    verb, noun = properties.random_shares(query_verbs, query_nouns, verbs, nouns)
    for i in range(3):
        others = ~((verbs == query_verbs[i]) & (nouns == query_nouns[i]))
        level = properties.burstiness(query_verbs[i], query_nouns[i], verbs[others], nouns[others])
        assert (level.verb, level.noun) == pytest.approx((verb[i], noun[i]))
        assert level.either == pytest.approx(verb[i] + noun[i])


def test_random_shares_need_other_actions() -> None:
    one = np.array([0])
    with pytest.raises(ValueError, match="two actions"):
        properties.random_shares(one, one, one, one)


def test_burstiness_needs_items() -> None:
    empty = np.empty((1, 0), np.int64)
    with pytest.raises(ValueError, match="context item"):
        properties.burstiness(np.array([[0]]), np.array([[0]]), empty, empty)


def test_missing_classes_are_never_shared() -> None:
    none = np.array([-1, -2])
    assert not properties.shares_class(none, none).any()


def test_entropy_of_uniform_and_single_class() -> None:
    assert properties.normalised_entropy([7] * 12) == pytest.approx(1)
    assert properties.normalised_entropy([7]) == 0


def test_synonymy_and_homonymy_are_zero_for_one_to_one_words() -> None:
    classes, words = [2, 0, 1, 0, 2, 2], ["c", "a", "b", "a", "c", "c"]
    assert properties.synonymy(classes, words) == 0
    assert properties.homonymy(classes, words) == 0


def test_words_must_be_parallel_to_classes() -> None:
    with pytest.raises(ValueError, match="parallel"):
        properties.synonymy([0, 1], ["a"])
