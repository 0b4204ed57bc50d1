import pytest

from eilev.evaluation.probes import binding_gap, in_context_gain, majority_word, probes


def test_the_first_of_equally_frequent_words_is_the_majority():
    assert majority_word(["wash", "cut", "cut", "wash"]) == "wash"
    assert majority_word([None, None]) is None


def test_gain_is_over_the_zero_shot_figure():
    assert in_context_gain({0: 0.1, 2: 0.3, 8: 0.05}) == pytest.approx({"2": 0.2, "8": -0.05})
    assert in_context_gain({2: 0.3}) == {}
    assert in_context_gain({0: None, 2: 0.3}) == {}


def test_binding_gap_is_where_both_halves_are():
    curves = {"contrastive": {0: 0.1, 4: 0.5, 8: 0.6}, "contrastive_shuffled": {0: 0.1, 8: 0.2}}
    assert binding_gap(curves) == pytest.approx({"8": 0.4})
    assert binding_gap({"contrastive": {8: 0.5}}) == {}


def test_what_the_weights_know_is_the_bursty_figure_without_context():
    assert probes({"bursty": {0: 0.5, 8: 0.75}, "new_words": {0: 0.0}}, {}, {})["in_weights"] == 0.5


def test_summary_of_a_split():
    curves = {"contrastive": {0: 0.25, 8: 0.5}, "contrastive_shuffled": {0: 0.25, 8: 0.25}}
    lacking = {"contrastive_shuffled": {"4": {"reason": "too few clips"}}}
    assert probes(curves, {"contrastive": {8: 0.25}}, lacking) == {
        "in_weights": None,
        "in_context_gain": {"contrastive": {"8": 0.25}},
        "binding_gap": {"8": 0.25},
        "contrastive_shuffled": {"0": 0.25, "8": 0.25},
        "majority": {"contrastive": {"8": 0.25}},
        "unavailable": {"binding_gap": {"4": {"reason": "too few clips"}}},
    }
