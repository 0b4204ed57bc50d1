from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from eilev import schema
from eilev.config.ingest import IngestConfig
from eilev.io import DataError
from eilev.parquet import write_table
from eilev.sources.adapters import read_annotations, read_source
from eilev.sources.times import Rule

ROW = {
    "narration_id": "P01_01_0",
    "video_id": "P01_01",
    "narration_timestamp": "00:01:02.500",
    "start_timestamp": "00:01:00.00",
    "stop_timestamp": "00:01:04.00",
    "narration": "put down spoon:slotted",
    "verb": "put-down",
    "verb_class": "1",
    "noun": "spoon:slotted",
    "noun_class": "1",
    "all_nouns": "['spoon:slotted']",
}


def write(folder: Path, *changes: dict[str, str]) -> Path:
    path = folder / "EPIC_100_validation.csv"
    pd.DataFrame([ROW | change for change in changes]).to_csv(path, index=False)
    return path


def test_a_row(tmp_path: Path) -> None:
    (tmp_path / "EPIC_100_noun_classes.csv").write_text("id,key\n1,board:chopping\n")
    table = read_source("epic_kitchens", write(tmp_path, {}), None).narrations
    row = table.iloc[0]
    assert row["narration"] == "The camera wearer puts down the slotted spoon."
    assert row["timestamp_s"] == 62.0
    assert (row["verb_class"], row["noun_class"]) == ("1", "chopping_board")
    assert (row["verb_word"], row["noun_word"]) == ("put down", "slotted spoon")
    write_table(table, schema.NARRATIONS, tmp_path / "table.parquet")


LATE = {"narration_id": "late", "narration_timestamp": "00:05:10.000"}


@pytest.mark.parametrize(("rule", "times"), [("segment", [62, 62]), ("narration", [62.5, 310])])
def test_the_segment_counts_or_by_choice_the_narrators_time(
    tmp_path: Path, rule: Rule, times: list[float]
) -> None:
    result = read_source("epic_kitchens", write(tmp_path, {}, LATE), None, None, rule)
    assert result.narrations["timestamp_s"].tolist() == times
    summary = result.summary()
    assert (summary["told_outside_segment"], summary["told_over_4_s_outside"]) == (1, 1)
    assert summary["kept_outside_segment"] == (rule == "narration")


@pytest.mark.parametrize("rule", ["segment", "narration"])
@pytest.mark.parametrize(
    ("change", "time"),
    [
        ({"narration_timestamp": "", "stop_timestamp": "00:01:10.00"}, 65.0),
        ({"start_timestamp": ""}, 62.5),
        ({"start_timestamp": "x", "stop_timestamp": "y"}, 62.5),
        ({"stop_timestamp": "00:00:30.00"}, 62.5),
    ],
)
def test_the_time_that_is_there_stands_for_the_one_that_is_not(
    tmp_path: Path, rule: Rule, change: dict[str, str], time: float
) -> None:
    result = read_source("epic_kitchens", write(tmp_path, change), None, None, rule)
    assert result.narrations["timestamp_s"].tolist() == [time]
    assert result.summary()["told_outside_segment"] == 0


def test_a_bad_row_costs_itself(tmp_path: Path) -> None:
    path = write(tmp_path, {}, {"narration_id": ""}, {"narration_id": "b", "video_id": ""}, LATE)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], "P01_01_7,P01_01", lines[4] + ",x,y", *lines[4:]]))
    result = read_source("epic_kitchens", path, None)
    assert list(result.narrations["narration_id"]) == ["P01_01_0", "late"]
    assert list(result.rejects["reason"]) == [
        "missing narration_id: EPIC_100_validation.csv, line 3",
        "missing video_id: EPIC_100_validation.csv, line 4",
        "unreadable row: EPIC_100_validation.csv, line 5: 2 fields, but the header has 11",
        "unreadable row: EPIC_100_validation.csv, line 6: 13 fields, but the header has 11",
    ]


def test_videos_of_every_layout_are_found_and_each_row_is_accounted_for(tmp_path: Path) -> None:
    places = (
        "P01/rgb/P01_01",
        "P01/videos/P01_101",
        "videos/train/P02/P02_01",
        "videos/test/P04/P04_02",
        "EPIC-KITCHENS/P03/videos/P03_1",
        "P05_01",
    )
    for place in places:
        file = tmp_path / "media" / f"{place}.MP4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    frames = tmp_path / "media/P09/rgb_frames/P09_01"
    frames.mkdir(parents=True)
    (frames / "P09_01.MP4").touch()
    ids = [Path(place).name for place in places] + ["P09_01"]
    rows = [{"narration_id": f"{name}_0", "video_id": name} for name in ids]
    bad = [
        {"narration_id": "empty", "narration": "."},
        {"narration_id": "untimed", "narration_timestamp": "x", "start_timestamp": "x"},
        {},
    ]
    config = IngestConfig(
        source="epic_kitchens",
        annotations=str(write(tmp_path, *rows, *bad).parent),
        videos=str(tmp_path / "media"),
        synonyms=None,
        epic_time="segment",
    )
    result = read_annotations(config)
    assert result.narrations["video_path"].tolist() == [
        str(tmp_path / "media" / f"{place}.MP4") for place in places
    ]
    assert result.rejects["reason"].tolist() == [
        "video not found: EPIC_100_validation.csv, line 8",
        "empty narration: EPIC_100_validation.csv, line 9",
        "missing timestamp: EPIC_100_validation.csv, line 10",
        "duplicate narration id",
    ]
    assert result.missing_videos() == ["P09_01"]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "EPIC_100_train.csv"
    path.write_text("narration_id,narration\na,take cup\n")
    with pytest.raises(DataError, match=r"EPIC_100_train.csv: column 'video_id' is missing"):
        read_source("epic_kitchens", path, None)


def test_listed_narrations_take_the_middle_of_the_segment(tmp_path: Path) -> None:
    write(tmp_path, {}, {"narration_id": "P01_01_1"})
    listed = tmp_path / "EPIC_100_validation_missing_timestamp_narrations.csv"
    listed.write_text(",narration_id\n0,P01_01_1\n")
    # The list is no table of segments of its own.
    result = read_source("epic_kitchens", tmp_path, None, None, "narration")
    assert result.narrations["timestamp_s"].tolist() == [62.5, 62.0]
    listed.write_text("id\nP01_01_1\n")
    with pytest.raises(DataError, match="column 'narration_id' is missing"):
        read_source("epic_kitchens", tmp_path, None)


def test_a_phrase_without_a_verb_is_a_reject(tmp_path: Path) -> None:
    path = write(tmp_path, {}, {"narration_id": "b", "narration": "the cup"})
    result = read_source("epic_kitchens", path, None)
    assert result.reject_counts() == {"narration without a verb": 1}


def test_no_window_around_a_real_row_misses_its_action(epic_kitchens: Path) -> None:
    """Of 8 s, the paper's; by the reference's rule 893 would."""
    rows = pd.read_csv(epic_kitchens / "EPIC_100_validation.csv", dtype=str)
    rows = rows.set_index("narration_id")
    start, stop = (
        pd.to_timedelta(rows[f"{end}_timestamp"]).dt.total_seconds() for end in ("start", "stop")
    )
    missed = {}
    for rule in get_args(Rule)[:2]:
        result = read_source("epic_kitchens", epic_kitchens, None, None, rule)
        time = result.narrations.set_index("narration_id")["timestamp_s"]
        missed[rule] = int(((time + 4 < start[time.index]) | (time - 4 > stop[time.index])).sum())
        summary = result.summary()
        assert (summary["told_outside_segment"], summary["told_over_4_s_outside"]) == (4505, 893)
        assert summary["kept_outside_segment"] == (4505 if rule == "narration" else 0)
    assert missed == {"segment": 0, "narration": 893}


def test_the_real_validation_rows_are_all_accounted_for(epic_kitchens: Path) -> None:
    folder = epic_kitchens
    result = read_source("epic_kitchens", folder, None)
    assert (result.num_rows, len(result.narrations), len(result.rejects)) == (9668, 9668, 0)
    table = result.narrations.set_index("narration_id")
    assert table["verb_word"].notna().all()
    assert table["noun_word"].notna().mean() > 0.98
    assert table["verb_class"].nunique() == 78
    assert table["narration"].str.fullmatch(r"The camera wearer [a-z0-9 ,'\u2019-]+\.").all()
    assert not table["narration"].str.contains(r"\b(?:the|a|an) (?:the|a|an|it|of|in|to)\b").any()


def test_the_published_list_names_exactly_the_rows_without_a_time(epic_kitchens: Path) -> None:
    folder = epic_kitchens
    rows = pd.read_csv(folder / "EPIC_100_validation.csv", dtype=str).set_index("narration_id")
    listed = pd.read_csv(folder / "EPIC_100_validation_missing_timestamp_narrations.csv")
    untimed = rows.index[rows["narration_timestamp"].isna()]
    assert set(listed["narration_id"]) == set(untimed)
    times = read_source("epic_kitchens", folder, None).narrations.set_index("narration_id")
    seconds = rows[["start_timestamp", "stop_timestamp"]].apply(pd.to_timedelta)
    middles = seconds.loc[untimed].mean(axis=1).dt.total_seconds()
    assert times.loc[untimed, "timestamp_s"].tolist() == pytest.approx(middles.tolist())
