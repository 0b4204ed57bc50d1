from pathlib import Path

import pandas as pd
import pytest

from eilev import schema
from eilev.config import IngestConfig
from eilev.data.annotations import read_annotations, read_source
from eilev.data.phrases import to_sentence
from eilev.io import DataError, write_table

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
    assert row["timestamp_s"] == 62.5
    assert (row["verb_class"], row["noun_class"]) == ("1", "chopping_board")
    assert (row["verb_word"], row["noun_word"]) == ("put down", "slotted spoon")
    write_table(table, schema.NARRATIONS, tmp_path / "table.parquet")


def test_a_missing_time_is_the_middle_of_the_segment(tmp_path: Path) -> None:
    path = write(tmp_path, {"narration_timestamp": "", "stop_timestamp": "00:01:10.00"})
    assert read_source("epic_kitchens", path, None).narrations["timestamp_s"].tolist() == [65.0]


def test_videos_of_every_layout_are_found_and_each_row_is_accounted_for(tmp_path: Path) -> None:
    places = ("P01/rgb/P01_01", "P01/videos/P01_101", "videos/train/P02/P02_01", "P03/videos/P03_1")
    for place in places:
        file = tmp_path / "media" / f"{place}.MP4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
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
    )
    result = read_annotations(config)
    assert result.narrations["video_path"].tolist() == [
        str(tmp_path / "media" / f"{place}.MP4") for place in places
    ]
    assert result.rejects["reason"].tolist() == [
        "video not found",
        "empty narration",
        "missing timestamp",
        "duplicate narration id",
    ]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "EPIC_100_train.csv"
    path.write_text("narration_id,narration\na,take cup\n")
    with pytest.raises(DataError, match=r"EPIC_100_train.csv: column 'video_id' is missing"):
        read_source("epic_kitchens", path, None)


@pytest.mark.parametrize(
    ("phrase", "nouns", "sentence"),
    [
        ("put knife in sink", {"knife", "sink"}, "puts the knife in the sink"),
        ("take salt and pepper.", {"salt", "pepper"}, "takes the salt and the pepper"),
        ("hold and dry lid", {"lid"}, "holds and dries the lid"),
        ("continue washing pan", {"pan"}, "continues washing the pan"),
        ("still dicing onion", {"onion"}, "still dices the onion"),
        ("use knife to cut bag", {"knife", "bag"}, "uses the knife to cut the bag"),
        ("turn tap off", {"tap"}, "turns the tap off"),
    ],
)
def test_sentences(phrase: str, nouns: set[str], sentence: str) -> None:
    assert to_sentence(phrase, frozenset(nouns)) == f"The camera wearer {sentence}."


def test_the_real_validation_rows_are_all_accounted_for(shared: Path) -> None:
    path = shared / "fixtures/epic-kitchens-100/EPIC_100_validation.csv"
    result = read_source("epic_kitchens", path, None)
    assert len(result.narrations) + len(result.rejects) == 9668
    assert result.narrations["verb_word"].notna().all()
    assert result.narrations["noun_word"].notna().mean() > 0.97
