import pytest

from eilev.config.conditions import CONDITIONS
from eilev.episodes.account import Account
from eilev.episodes.availability import missing_kinds, require_some, unavailable, why_not

SPLITS = ("test", "novel")
ASKED = ("bursty", "contrastive", "shuffled", "new_words")


@pytest.fixture
def summary():
    """Of test everything, of novel no contrastive contexts."""
    counts = Account()
    for shots in (0, 1, 4, 24):
        counts.add("test", "bursty", shots, 10, {})
        counts.add("novel", "bursty", shots, 10, {})
        counts.add("test", "contrastive", shots, 10, {})
        counts.add("novel", "contrastive", shots, 0, {"too few clips": 10})
    return counts.to_json()


def test_conditions_lack_what_their_episodes_or_their_changes_lack(summary):
    found = unavailable(summary, ASKED, SPLITS)
    assert set(found) == {"test", "novel"}
    for conditions in found.values():
        assert list(conditions) == [*ASKED, "contrastive_shuffled"]
        assert conditions["bursty"] == {}
        assert set(conditions["shuffled"]) == {"1"}
        assert set(conditions["new_words"]) == {"24"}
    assert found["test"]["contrastive"] == {}
    assert set(found["test"]["contrastive_shuffled"]) == {"1"}
    reason = {"reason": "10 x too few clips"}
    assert found["novel"]["contrastive"] == dict.fromkeys(("0", "1", "4", "24"), reason)
    assert found["novel"]["contrastive_shuffled"]["4"] == reason


def test_kinds_are_missing_whatever_is_asked_afterwards(summary):
    missing = missing_kinds(summary)
    assert missing["test"] == {"bursty": {}, "contrastive": {}}
    assert set(missing["novel"]["contrastive"]) == {"0", "1", "4", "24"}


def test_nothing_to_show_is_refused_by_name(summary):
    require_some(summary, unavailable(summary, ["contrastive"], SPLITS))
    for shots in summary["test"]["contrastive"]:
        summary["test"]["contrastive"][shots] = {"episodes": 0, "left_out": 3, "reason": "3 x few"}
    with pytest.raises(ValueError, match=r"evaluate\.conditions: .*test: no contrastive .*3 x few"):
        require_some(summary, unavailable(summary, ["contrastive"], SPLITS))


def test_episodes_as_they_are_can_always_be_shown():
    for name, entry in CONDITIONS.items():
        if entry.as_drawn:
            assert {why_not(entry, shots) for shots in (0, 1, 100)} == {None}, name
