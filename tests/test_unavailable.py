import doctest

from eilev import unavailable
from eilev.unavailable import describe, lacks_contexts


def test_worked_examples():
    assert doctest.testmod(unavailable).failed == 0


def test_conditions_and_shots_of_one_reason_share_a_line():
    few, one = {"reason": "too few clips"}, {"reason": "one video"}
    lacking = {
        "contrastive": {"4": few, "8": few},
        "shuffled": {"1": one},
        "contrastive_shuffled": {"1": one, "4": few, "8": few},
    }
    assert describe(lacking) == [
        "no contrastive or contrastive_shuffled at 4, 8 shots: too few clips",
        "no shuffled or contrastive_shuffled at 1 shots: one video",
    ]


def test_a_curve_without_contexts_is_lacking_only_where_contexts_were_wanted():
    few = {"reason": "too few clips"}
    assert lacks_contexts({"shots": {"0": {}}, "unavailable": {"4": few}})
    assert lacks_contexts({"shots": {}, "unavailable": {"0": few, "4": few}})
    assert not lacks_contexts({"shots": {"0": {}}, "unavailable": {}})
    assert not lacks_contexts({"shots": {"0": {}, "4": {}}, "unavailable": {"8": few}})
