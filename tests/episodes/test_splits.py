from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from eilev.config.split import SplitConfig
from eilev.episodes.splits import DIVIDED_BY, split_narrations
from eilev.schema import OTHER_VERB


def config(**changes: Any) -> SplitConfig:
    defaults: dict[str, Any] = {
        "seed": 0,
        "by": "action",
        "common_share": 0.8,
        "num_common_actions": None,
        "novel_val_share": 0.0,
        "train_val_share": 0.75,
        "train_share": 0.75,
    }
    return SplitConfig(**{**defaults, **changes})


def narrations(actions: Sequence[tuple[str | None, str | None]], num_videos: int) -> pd.DataFrame:
    """One row per action, handed out to the videos in turn."""
    verbs, nouns = zip(*actions, strict=True)
    table = pd.DataFrame(
        {
            "narration_id": [f"n{i:04d}" for i in range(len(actions))],
            "video_id": [f"v{i % num_videos:02d}" for i in range(len(actions))],
            "verb_class": pd.Series(verbs, dtype=object),
            "noun_class": pd.Series(nouns, dtype=object),
        }
    )
    # Nothing may depend on the index.
    return table.set_index(np.arange(len(actions))[::-1] * 3)


ACTIONS: list[tuple[str | None, str | None]] = [
    *[("cut", "onion")] * 50,
    *[("cut", "bread")] * 30,
    *[("wash", "pan")] * 20,
    *[("wash", "cup")] * 10,
    *[("open", "jar")] * 10,
]


def divide(table: pd.DataFrame, seed: int = 0, **changes: Any) -> pd.Series:
    """Name of each row's split."""
    found = split_narrations(table, config(**changes), np.random.default_rng(seed))
    return pd.Series(found, table.index).astype("str")


def split(table: pd.DataFrame, seed: int = 0, **changes: Any) -> pd.DataFrame:
    return table.assign(split=divide(table, seed, **changes))


def actions_of(result: pd.DataFrame, *splits: str) -> set[tuple[Any, Any]]:
    rows = result[result["split"].isin(splits)]
    return set(zip(rows["verb_class"], rows["noun_class"], strict=True))


def test_the_most_frequent_actions_are_common_until_their_share_is_reached() -> None:
    # 50 + 30 = 80 of 120 is less than 80 %, 100 is more.
    result = split(narrations(ACTIONS, 12))
    assert actions_of(result, "novel") == {("wash", "cup"), ("open", "jar")}
    assert actions_of(result, "train", "val", "test") == set(ACTIONS[:100])


def test_a_share_reached_exactly_takes_no_further_action() -> None:
    result = split(narrations(ACTIONS, 12), common_share=100 / 120)
    assert actions_of(result, "novel") == {("wash", "cup"), ("open", "jar")}


def test_number_of_common_actions_and_ties_in_alphabetical_order() -> None:
    # ("open", "jar") and ("wash", "cup") are equally frequent.
    result = split(narrations(ACTIONS, 12), num_common_actions=4)
    assert actions_of(result, "novel") == {("wash", "cup")}


def test_videos_are_whole_and_fill_their_shares() -> None:
    result = split(narrations([("cut", "onion")] * 900 + [("cut", "jar")] * 100, 100))
    common = result[result["split"] != "novel"]
    assert common.groupby("video_id")["split"].nunique().max() == 1
    counts = common["split"].value_counts()
    # 675 of the 900 common ones are for train + val, 506 of these for train; videos have 9.
    assert counts["train"] == 57 * 9
    assert counts["train"] + counts["val"] == 75 * 9


def test_narrations_without_an_action_go_with_their_video() -> None:
    odd: list[tuple[str | None, str | None]] = [
        (OTHER_VERB, "onion"),
        (None, "onion"),
        ("peel", None),
    ]
    result = split(narrations(ACTIONS + odd * 10, 12))
    assert not actions_of(result, "novel") & set(odd)
    common = result[result["split"] != "novel"]
    assert common.groupby("video_id")["split"].nunique().max() == 1


def test_by_video_has_no_novel_split() -> None:
    result = split(narrations(ACTIONS, 12), by="video")
    assert set(result["split"]) == {"train", "val", "test"}
    assert result.groupby("video_id")["split"].nunique().max() == 1


def test_the_seed_decides() -> None:
    table = narrations(ACTIONS, 12)
    first, same, other = split(table, 0), split(table, 0), split(table, 1)
    assert first.equals(same)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("num_videos", "changes", "message"),
    [
        (12, {"common_share": 1.0}, r"'novel' .* split\.common_share"),
        (12, {"num_common_actions": 9}, r"'novel' .* split\.num_common_actions"),
        (1, {}, "at least 3 are needed, but there are only 120 narrations of 1 videos: add"),
        (2, {"by": "video"}, "at least 3 are needed, but there are only .* of 2 videos: add"),
    ],
)
def test_an_empty_split_names_the_parameter(
    num_videos: int, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        split(narrations(ACTIONS, num_videos), **changes)


def test_common_actions_need_three_videos_of_their_own() -> None:
    table = narrations(ACTIONS, 3)
    table["video_id"] = np.where(table["noun_class"] == "jar", "v02", "v00")
    table.loc[table["noun_class"] == "bread", "video_id"] = "v01"
    with pytest.raises(ValueError, match=r"100 narrations of 2 videos for common actions: add"):
        split(table)


@pytest.mark.parametrize("share", ["train_val_share", "train_share"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_share_leaves_a_split_empty(share: str, value: float) -> None:
    with pytest.raises(ValidationError, match=f"{share}\n"):
        config(**{share: value})


@pytest.mark.parametrize("num_videos", [3, 4])
@pytest.mark.parametrize("share", [0.01, 0.6, 0.75, 0.99])
@pytest.mark.parametrize("by", ["action", "video"])
def test_three_videos_are_enough(num_videos: int, share: float, by: str) -> None:
    table = narrations(ACTIONS, num_videos)
    for seed in range(6):
        result = split(table, seed, by=by, train_val_share=share, train_share=share)
        common = result[result["split"] != "novel"]
        assert set(common["split"]) == {"train", "val", "test"}
        assert common.groupby("video_id")["split"].nunique().max() == 1


def test_a_video_with_nearly_everything_leaves_one_for_each_other_split() -> None:
    table = narrations([("cut", "onion")] * 100, 100)
    table.loc[table["video_id"] < "v97", "video_id"] = "v00"
    for seed in range(6):
        sizes = split(table, seed, by="video")["split"].value_counts()
        assert sizes.min() >= 1
        assert len(sizes) == 3


def test_some_rare_actions_are_held_out_to_choose_by() -> None:
    """Whole actions up to the share, the same for the same seed; the common ones stay put."""
    actions = [("cut", f"noun-{i // 4:02d}") for i in range(80)] + [("wash", "cup")] * 320
    table = narrations(actions, 20)
    plain, held = divide(table, 3), divide(table, 3, novel_val_share=0.25)
    rare = table["verb_class"] == "cut"
    assert (plain[~rare] == held[~rare]).all()
    assert (plain[rare] == "novel").all()
    assert (held[rare] == "novel_val").sum() == 20
    assert held[rare].groupby(table["noun_class"]).nunique().max() == 1
    left = divide(table, 3, novel_val_share=1.0)
    assert (left == "novel").sum() == 4


def test_a_noun_may_have_the_name_of_the_catch_all_verb() -> None:
    odd: list[tuple[str | None, str | None]] = [("peel", OTHER_VERB)] * 3
    assert ("peel", OTHER_VERB) in actions_of(split(narrations(ACTIONS + odd, 12)), "novel")


def test_texts_are_divided_as_their_numbers_are() -> None:
    """As it is read from Parquet, where a text's number says nothing of its place."""
    table = narrations([*ACTIONS[::-1], (None, "onion")], 12)
    numbered = table.astype(dict.fromkeys(DIVIDED_BY, "category"))
    for name in DIVIDED_BY:
        numbered[name] = numbered[name].cat.reorder_categories(table[name].dropna().unique())
    assert divide(table, novel_val_share=0.5).equals(divide(numbered, novel_val_share=0.5))
