"""CSV files as spreadsheets and people write them."""

from pathlib import Path

import pytest

from eilev.sources.adapters import read_source
from eilev.sources.annotations import Annotations

CREME = "The camera wearer stirs the cr\u00e8me."


def read(path: Path) -> Annotations:
    return read_source("table", path, None, None)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_of_spreadsheets(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    rows = [("Video", "Time ", "narration"), ("a.mp4", '"2,5"', CREME), ("a.mp4", "1:02", CREME)]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    table = read(tmp_path / "t.csv").narrations
    assert table["timestamp_s"].tolist() == [2.5, 62.0]
    assert table["narration"].tolist() == [CREME, CREME]


def test_a_broken_character_costs_its_own_row(tmp_path: Path) -> None:
    good = f"a.mp4,1,{CREME}\n".encode()
    broken = good.replace(b"\xc3\xa8", b"\xc3")
    (tmp_path / "t.csv").write_bytes(b"video,time,narration\n" + good + broken + good)
    result = read(tmp_path / "t.csv")
    assert result.narrations["narration"].tolist() == [CREME, CREME]
    (reject,) = result.rejects.itertuples()
    assert reject.reason == "unreadable row: t.csv, line 3: not in utf-8-sig"
    assert reject.narration == r"a.mp4,1,The camera wearer stirs the cr\xc3me."


@pytest.mark.parametrize(
    ("encoding", "letter", "broken"),
    # A byte that cp1252 has not, half of a surrogate pair.
    [("cp1252", b"e", b"\x81"), ("utf-16", "e".encode("utf-16-le"), b"\x00\xd8")],
)
def test_the_same_in_other_encodings(
    tmp_path: Path, encoding: str, letter: bytes, broken: bytes
) -> None:
    lines = ["video,time,narration", *(f"a.mp4,{time},{CREME}" for time in range(3))]
    start, last = "\n".join(lines[:-1]).encode(encoding), f"\n{lines[-1]}\n".encode(encoding)
    last = last.removeprefix("".encode(encoding)).replace(letter, broken, 1)
    (tmp_path / "t.csv").write_bytes(start + last)
    result = read(tmp_path / "t.csv")
    assert result.narrations["narration"].tolist() == [CREME, CREME]
    assert result.reject_counts() == {"unreadable row": 1}


def test_a_stray_quotation_mark_costs_its_own_row(tmp_path: Path) -> None:
    lines = [
        "sep=,",
        "video,time,narration",
        'a.mp4,1,"cuts the onion,\nslowly"',
        'a.mp4,2,"cuts the onion',
        'a.mp4,3,"washes the mug"',
        'a.mp4,4,"takes the 5" pan"',
        "a.mp4,5,opens the tap,,",
        "video,time,narration",
        "a.mp4,x,opens the tap",
        'a.mp4,6,"closes the tap',
        "a.mp4,7,opens the tap",
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    result = read(tmp_path / "t.csv")
    assert result.narrations["timestamp_s"].tolist() == [1.0, 3.0, 5.0, 7.0]
    # The third of these lines has a line break inside.
    places = [reason.split(": ")[1].split(", ")[1] for reason in result.rejects["reason"]]
    assert places == ["line 5", "line 7", "line 9", "line 10", "line 11"]
    assert result.reject_counts() == {"unreadable row": 3, "unreadable time": 2}
