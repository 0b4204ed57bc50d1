import pytest

from eilev.episodes.account import Account


def filled(**missing: str) -> Account:
    """An account of ten episodes of each split but for those `missing`, with a reason each."""
    counts = Account()
    for split in ("train", "val", "test", "novel"):
        if split in missing:
            counts.add(split, "bursty", 4, 0, {missing[split]: 0})
        else:
            counts.add(split, "bursty", 4, 10, {})
    return counts


def test_counts_add_up_over_epochs() -> None:
    counts = filled()
    counts.add("train", "bursty", 4, 8, {"too few clips": 2})
    counts.add("train", "bursty", 4, 9, {"too few clips": 1})
    cell = counts.to_json()["train"]["bursty"]["4"]
    assert cell == {"episodes": 27, "left_out": 3, "reason": "3 x too few clips"}


def test_what_is_left_out_is_told_in_a_line_for_each_reason() -> None:
    counts = filled(novel="no narration belongs to novel")
    counts.add("novel", "bursty", 8, 0, {"no narration belongs to novel": 0})
    counts.add("test", "random", 8, 5, {"too few clips": 2, "no class": 1})
    assert list(counts.lines()) == [
        "test, random at 8 shots: 3 left out: 2 x too few clips; 1 x no class",
        "novel, bursty at 4, 8 shots: none: no narration belongs to novel",
    ]


def test_either_test_or_novel_is_enough() -> None:
    filled(test="a").check()
    filled(novel="b").check()
    with pytest.raises(ValueError, match=r"to evaluate a model on \(test and novel\): .*a; .*b"):
        filled(test="a", novel="b").check()


@pytest.mark.parametrize(
    ("split", "purpose"), [("train", "to train on"), ("val", "to select a model by")]
)
def test_train_and_val_must_have_episodes(split: str, purpose: str) -> None:
    message = rf"no episodes {purpose} \({split}\): {split}, bursty: no frames"
    with pytest.raises(ValueError, match=message):
        filled(**{split: "no frames"}).check()
