"""Search in a bank against plain Python, and its bound."""

import math

import numpy as np
import pytest

from eilev.bundle.bank import Bank, BankFullError, Example


def bank_of(features, max_examples=1000):
    examples = [Example(f"e{i}", f"Narration {i}.") for i in range(len(features))]
    empty = Bank.empty(max_examples * features[0].nbytes, *features.shape[1:])
    return empty.extended(examples, features)


def random_features(number, seed=0):
    return np.random.default_rng(seed).normal(size=(number, 3, 8)).astype(np.float32)


def cosine(first, second):
    product = sum(float(a) * float(b) for a, b in zip(first, second, strict=True))
    return product / math.hypot(*first) / math.hypot(*second)


def test_the_most_alike_come_first_and_none_is_missed():
    features, query = random_features(200), random_features(1, seed=1)
    found = list(bank_of(features).ranked(query, "similar"))
    expected = [cosine(one.ravel(), query.ravel()) for one in features]
    order = sorted(range(200), key=lambda place: -expected[place])
    assert [one.example.id for one in found] == [f"e{place}" for place in order]
    assert [one.similarity for one in found] == pytest.approx(
        sorted(expected, reverse=True), abs=1e-5
    )
    np.testing.assert_array_equal(found[0].features, features[order[0]])


def test_a_clip_is_most_like_itself_whatever_its_length_and_of_equals_the_first_is_taken():
    features = random_features(5)
    features[3] = 2 * features[1]
    first, second, *_ = bank_of(features).ranked(7 * features[3:4], "similar")
    assert (first.example.id, second.example.id) == ("e1", "e3")
    assert first.similarity == pytest.approx(1)


def test_a_query_of_several_videos_is_their_mean():
    features = random_features(3)
    both = features[:2]
    together = bank_of(features).ranked(both, "similar")
    mean = bank_of(features).ranked(both.mean(axis=0, keepdims=True), "similar")
    assert [one.similarity for one in together] == [one.similarity for one in mean]


def test_random_ones_are_those_of_the_seed():
    bank, query = bank_of(random_features(50)), random_features(1, seed=1)

    def drawn(seed):
        return [one.example.id for one in bank.ranked(query, "random", seed)]

    assert drawn(3) == drawn(3) != drawn(4)
    assert sorted(drawn(3)) == sorted(f"e{place}" for place in range(50))


def test_clips_without_any_features_are_like_nothing():
    features = random_features(3)
    features[0] = 0
    (last,) = list(bank_of(features).ranked(features[1:2], "similar"))[1:2]
    assert np.isfinite(last.similarity)


def test_a_full_bank_takes_no_more_and_stays_as_it_is():
    bank = bank_of(random_features(2), max_examples=3)
    bank = bank.extended([Example("e2", "Narration.")], random_features(1))
    with pytest.raises(BankFullError, match="4 examples, there is room for 3"):
        bank.extended([Example("e3", "Narration.")], random_features(1))
    assert len(bank.examples) == len(bank.features) == bank.max_examples == 3
