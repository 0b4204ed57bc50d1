import csv
import datetime
import doctest
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eilev import schema
from eilev.io import DataError
from eilev.parquet import write_table
from eilev.sources import times
from eilev.sources.adapters import read_source
from eilev.sources.annotations import Annotations

ROWS = [
    {"video": "a.mp4", "time": "1.5", "narration": "The camera wearer slices the onions."},
    {"video": "day 1/b.mp4", "time": "00:01:02.500", "narration": "#C C picks up a cup"},
]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "day 1").mkdir(parents=True)
    for name in ("a.mp4", "day 1/b.mp4"):
        (folder / name).touch()
    return folder


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    return path


def kinds(result: Annotations) -> list[str]:
    return [reason.split(": ")[0] for reason in result.rejects["reason"]]


def read(path: Path, videos: Path | None = None, synonyms: Path | None = None) -> Annotations:
    return read_source("table", path, videos, synonyms)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.csv", write_csv),
        ("t.TSV", lambda path, rows: write_csv(path.with_suffix(".tsv"), rows)),
        ("t.parquet", write_parquet),
        ("t.jsonl", write_jsonl),
    ],
)
def test_every_format_gives_the_same_narrations(
    tmp_path: Path, videos: Path, name: str, write: Any
) -> None:
    result = read(write(tmp_path / name, ROWS), videos)
    assert result.narrations.to_dict("records") == [
        {
            "narration_id": "a.mp4_00000",
            "video_id": "a.mp4",
            "video_path": f"{videos}/a.mp4",
            "timestamp_s": 1.5,
            "narration": "The camera wearer slices the onions.",
            "verb_class": "slice",
            "noun_class": "onion",
            "verb_word": "slice",
            "noun_word": "onion",
        },
        {
            "narration_id": "day 1/b.mp4_00000",
            "video_id": "day 1/b.mp4",
            "video_path": f"{videos}/day 1/b.mp4",
            "timestamp_s": 62.5,
            "narration": "The camera wearer picks up a cup.",
            "verb_class": "pick",
            "noun_class": "cup",
            "verb_word": "pick",
            "noun_word": "cup",
        },
    ]
    write_table(result.narrations, schema.NARRATIONS, tmp_path / "out.parquet")


def test_given_words_and_classes_are_kept_and_others_derived(tmp_path: Path) -> None:
    given = {"narration_id": 7, "verb_word": "Chop", "noun_class": "bulb_(shallot,_onion)"}
    rows = [ROWS[0] | given, ROWS[0] | {"narration_id": None, "verb_class": "cut"}]
    table = read(write_jsonl(tmp_path / "t.jsonl", rows)).narrations
    assert table["narration_id"].tolist() == ["7", "a.mp4_00000"]
    assert table["verb_word"].tolist() == ["chop", "slice"]
    assert table["verb_class"].tolist() == ["chop", "cut"]
    assert table["noun_word"].tolist() == ["onion", "onion"]
    assert table["noun_class"].tolist() == ["bulb_(shallot,_onion)", "onion"]


def test_synonyms_make_classes_and_words_of_several_words(tmp_path: Path) -> None:
    synonyms = tmp_path / "synonyms.yaml"
    synonyms.write_text("verbs: {cut: [slice], lift: [pick up]}\nnouns: {cup: [mug]}\n")
    table = read(write_csv(tmp_path / "t.csv", ROWS), None, synonyms).narrations
    assert table["verb_class"].tolist() == ["cut", "lift"]
    assert table["verb_word"].tolist() == ["slice", "pick up"]
    assert table["noun_class"].tolist() == ["onion", "cup"]


def test_every_bad_row_is_a_reject_with_its_reason(tmp_path: Path, videos: Path) -> None:
    good = {"narration_id": "a", **ROWS[0]}
    bad = [
        ({"video": ""}, "missing video"),
        ({"narration": " "}, "empty narration"),
        ({"narration": "#unsure"}, "empty narration"),
        ({"time": ""}, "missing time"),
        ({"time": "soon"}, "unreadable time"),
        ({"time": "1:75:00"}, "unreadable time"),
        ({"time": "nan"}, "unreadable time"),
        ({"time": "inf"}, "unreadable time"),
        ({"time": "1,234"}, "unreadable time"),
        ({"time": "00:01:02:12"}, "unreadable time"),
        ({"time": "-0.5"}, "negative time"),
        ({"video": "day 1"}, "video not found"),
        ({"video": "c.mp4"}, "video not found"),
        ({"narration_id": "a"}, "duplicate narration id"),
    ]
    rows = [good, *({**good, "narration_id": f"r{i}"} | b for i, (b, _) in enumerate(bad))]
    result = read(write_csv(tmp_path / "t.csv", rows), videos)
    assert result.num_rows == len(rows)
    assert list(result.narrations["narration_id"]) == ["a"]
    assert kinds(result) == [reason for _, reason in bad]
    forms = "write seconds (62.5, 62,5 or 62 s), M:SS, H:MM:SS or HH:MM:SS,mmm"
    reasons = result.rejects["reason"].tolist()
    assert reasons[4] == f"unreadable time: t.csv, line 7: 'soon'; {forms}"
    assert reasons[-2] == "video not found: t.csv, line 15: 'c.mp4'"
    assert reasons[-4] == "negative time: t.csv, line 13: '-0.5'"
    assert result.missing_videos() == ["c.mp4", "day 1"]
    write_table(result.rejects, schema.REJECTS, tmp_path / "rejects.parquet")


def test_rows_that_cannot_be_read_are_rejects(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "\ufeffvideo,time,narration\na.mp4,1,cuts the onion, slowly\n\na.mp4,2\n"
        'a.mp4,3,"cuts the onion, slowly"\n'
    )
    result = read(path)
    assert result.reject_counts() == {"unreadable row": 2}
    assert result.rejects["narration"].tolist() == ["a.mp4,1,cuts the onion, slowly", "a.mp4,2"]
    assert result.rejects["reason"].tolist() == [
        "unreadable row: t.csv, line 2: 4 fields, but the header has 3",
        "unreadable row: t.csv, line 4: 2 fields, but the header has 3",
    ]
    assert result.narrations["narration"].tolist() == ["cuts the onion, slowly."]
    lines = tmp_path / "t.jsonl"
    lines.write_text(f"{json.dumps(ROWS[0])}\n{{\n[1]\n{json.dumps(ROWS[0])}\n")
    result = read(lines)
    assert (len(result.narrations), result.reject_counts()) == (2, {"unreadable row": 2})


def test_times_of_parquet_and_json(tmp_path: Path) -> None:
    delta, clock = datetime.timedelta(minutes=1, seconds=2), datetime.time(0, 1, 2, 500_000)
    for number, (time, expected) in enumerate([(delta, 62.0), (clock, 62.5), (3, 3.0)]):
        path = write_parquet(tmp_path / f"{number}.parquet", [ROWS[0] | {"time": time}])
        assert read(path).narrations["timestamp_s"].tolist() == [expected]
    rows = [ROWS[0] | {"time": time} for time in (True, None, [1], 2)]
    result = read(write_jsonl(tmp_path / "t.jsonl", rows))
    assert kinds(result) == ["unreadable time", "missing time", "unreadable time"]
    assert result.rejects["reason"][0].startswith("unreadable time: t.jsonl, line 1: 'True'; ")


def test_a_folder_is_all_its_tables(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    write_csv(folder / "b.csv", [ROWS[0]])
    write_jsonl(folder / "a.jsonl", [ROWS[0] | {"time": 9}])
    (folder / "synonyms.json").write_text("{}")
    result = read(folder)
    assert result.narrations["timestamp_s"].tolist() == [9.0, 1.5]
    assert result.narrations["narration_id"].tolist() == ["a.mp4_00000", "a.mp4_00001"]


@pytest.mark.parametrize("column", ["video", "time", "narration"])
@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_missing_column_is_named_beside_those_there_are(
    tmp_path: Path, column: str, suffix: str
) -> None:
    write = {"csv": write_csv, "parquet": write_parquet, "jsonl": write_jsonl}[suffix]
    rows = [{f"x_{name}" if name == column else name: v for name, v in r.items()} for r in ROWS]
    path = write(tmp_path / f"t.{suffix}", rows)
    with pytest.raises(DataError) as error:
        read(path)
    assert f"t.{suffix}: column '{column}' is missing; there are: " in str(error.value)
    assert f"x_{column}" in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "column 'video' is missing; there are: none"),
        ("t.csv", b"video;when;narration\n", "'time' is missing; there are: video, when, narr"),
        ("t.csv", b"video,time,narration,Time\n", "column 'time' is there twice"),
        ("t.csv", b"video,time,narration\n", "no narrated action is usable; it has none"),
        (
            "t.csv",
            b"video,time,narration\na,x,cuts\n",
            r"all 1 were .*: 1 unreadable time \(first t.csv, line 2: 'x'",
        ),
        ("t.jsonl", b"\xff", "column 'video' is missing; there are: none"),
        ("t.parquet", b"PAR1", "not a readable Parquet file"),
        ("t.xlsx", b"", "no table; its suffix must be one of .csv, .tsv, .parquet, .jsonl"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / name)
    assert name in str(error.value)


def test_a_long_table_is_read_in_batches(tmp_path: Path) -> None:
    rows = [ROWS[0] | {"time": str(i)} for i in range(45_000)]
    for path in (write_csv(tmp_path / "t.csv", rows), write_parquet(tmp_path / "t.parquet", rows)):
        result = read(path)
        assert result.narrations["timestamp_s"].tolist() == [float(i) for i in range(45_000)]
        assert result.narrations["narration_id"].is_unique


def test_spellings_of_a_video_are_one_video(tmp_path: Path, videos: Path) -> None:
    names = ["a.mp4", "A.MP4", r".\a.mp4", "./x/../a.mp4", str(videos / "a.mp4"), r"Day 1\B.mp4"]
    rows = [ROWS[0] | {"video": name} for name in names]
    table = read(write_jsonl(tmp_path / "t.jsonl", rows), videos).narrations
    assert table["video_id"].tolist() == ["a.mp4"] * 5 + ["day 1/b.mp4"]
    assert table["video_path"].tolist() == [f"{videos}/a.mp4"] * 5 + [f"{videos}/day 1/b.mp4"]
    (videos / "A.Mp4").touch()
    # Now two files could be meant.
    result = read(tmp_path / "t.jsonl", videos)
    assert len(result.narrations) == 5
    assert kinds(result) == ["video not found"]


def test_start_and_end_stand_for_a_time_and_do_not_contradict_it(tmp_path: Path) -> None:
    rows = [
        {"time": "20.2", "start": "0:20", "end": "0:21"},
        {"time": "", "start": "0:20", "end": "0:21"},
        {"time": "20.2", "start": "here", "end": ""},
        {"time": "310", "start": "0:20", "end": "0:21"},
    ]
    result = read(write_csv(tmp_path / "t.csv", [ROWS[0] | row for row in rows]))
    assert result.narrations["timestamp_s"].tolist() == [20.2, 20.5, 20.2]
    assert result.rejects["reason"].tolist() == [
        "time outside of start and end: t.csv, line 5: '310' is not from '0:20' to '0:21'"
    ]
    without = {name: cell for name, cell in ROWS[0].items() if name != "time"}
    path = write_csv(tmp_path / "u.csv", [without | {"start": "1", "end": "2"}])
    assert read(path).narrations["timestamp_s"].tolist() == [1.5]


def test_the_examples_in_the_docstrings_hold() -> None:
    failed, tried = doctest.testmod(times)
    assert tried
    assert not failed
