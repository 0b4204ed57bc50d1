"""A table of one's own narrations (CSV, TSV, Parquet or JSONL) as narrations.

Columns: `video`, `time` and `narration`; optional are `narration_id`, `verb_word`, `noun_word`,
`verb_class`, `noun_class`, and `start` and `end`, which stand for a missing time and must not
contradict one. Others are ignored. Files are read in batches.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eilev.io import DataError
from eilev.language.words import clean_narration, says_something
from eilev.sources.annotations import VIDEO_NOT_FOUND, Annotations, Kept, Reject, collect
from eilev.sources.csv_files import (
    Record,
    find_encoding,
    is_decoded,
    open_text,
    printable,
    read_layout,
    read_rows,
)
from eilev.sources.english.main_words import noun_word, verb_word
from eilev.sources.synonyms import Groups, Synonyms
from eilev.sources.times import TIME_FORMS, UNREADABLE_TIME, Timing, read_time
from eilev.sources.video_files import Folder, VideoFolder

NEEDED = ("video", "time", "narration")
OPTIONAL = ("narration_id", "verb_word", "noun_word", "verb_class", "noun_class")
_SEGMENT = ("start", "end")
_TEXTS = ("video", "narration", *OPTIONAL)
_COLUMNS = (*NEEDED, *OPTIONAL, *_SEGMENT)
_OUTSIDE = "time outside of start and end"
_ROWS_PER_BATCH = 1_000


def read_table_source(path: Path, videos: Folder | None, synonyms: Synonyms) -> Annotations:
    """Read a table or all tables of a folder; relative video paths start at `videos`.

    Raises:
        DataError: a file cannot be read as what its suffix says, or lacks a needed column (the
            message lists those that it has).
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.suffix.lower() in _READERS]
    if not tables:
        raise DataError(f"{path}: no table; its suffix must be one of {', '.join(_READERS)}")
    reader = _Reader(VideoFolder(videos), synonyms, Counter())
    rows = chain.from_iterable(_READERS[table.suffix.lower()](table) for table in tables)
    return collect(rows, reader.convert)


@dataclass(frozen=True)
class _Reader:
    """What a row needs to know to become a narration."""

    videos: VideoFolder
    synonyms: Synonyms
    # Video to the number of its rows without an id so far.
    num_rows: Counter[str]

    def convert(self, record: Record) -> Kept | Reject:
        if record.fault:
            detail = f"{record.place}: {record.fault}"
            return Reject(self._next_id(""), "", record.text, "unreadable row", detail)
        text = {name: _text(record.cells.get(name)) for name in _TEXTS}
        video, path = self.videos.find(text["video"])
        narration_id = text["narration_id"] or self._next_id(video)
        narration = clean_narration(text["narration"])
        time = _time(record.cells)
        reason = _reject_reason(video, narration, time, path)
        if reason is not None or isinstance(time, str) or path is None:
            reason = reason or VIDEO_NOT_FOUND
            said = text["narration"] or None
            return Reject(narration_id, video, said, reason, _detail(reason, record))
        words_and_classes = _words_and_classes(text, narration, self.synonyms)
        row = (narration_id, video, path, time, narration, *words_and_classes)
        return Kept(row, Timing(time))

    def _next_id(self, video: str) -> str:
        number = self.num_rows[video]
        self.num_rows[video] += 1
        return f"{video or 'no-video'}_{number:05d}"


def _reject_reason(video: str, narration: str, time: float | str, path: str | None) -> str | None:
    """Why a row is left out; the first of several reasons, None where there is none."""
    if not video:
        return "missing video"
    if not says_something(narration):
        return "empty narration"
    if isinstance(time, str):
        return time
    return None if path else VIDEO_NOT_FOUND


def _time(cells: Mapping[str, Any]) -> float | str:
    """Seconds, or why there are none: the time, or the middle of start and end without one."""
    time = read_time(cells.get("time"))
    start, end = (read_time(cells.get(name)) for name in _SEGMENT)
    if isinstance(start, str) or isinstance(end, str) or start > end:
        return time
    if time == "missing time":
        return (start + end) / 2
    return _OUTSIDE if isinstance(time, float) and not start <= time <= end else time


def _detail(reason: str, record: Record) -> str:
    """Where the row stands, and the value that is wrong."""
    shown = {name: f"'{_text(record.cells.get(name))}'" for name in _COLUMNS}
    values = {
        UNREADABLE_TIME: f"{shown['time']}; {TIME_FORMS}",
        "negative time": shown["time"],
        _OUTSIDE: f"{shown['time']} is not from {shown['start']} to {shown['end']}",
        VIDEO_NOT_FOUND: shown["video"],
    }
    return f"{record.place}: {values[reason]}" if reason in values else record.place


def _words_and_classes(
    text: Mapping[str, str], narration: str, synonyms: Synonyms
) -> tuple[str | None, ...]:
    """verb_class, noun_class, verb_word, noun_word: those given, else derived."""
    verb_class, verb = _class_and_word(text, "verb", narration, synonyms.verbs, verb_word)
    noun_class, noun = _class_and_word(text, "noun", narration, synonyms.nouns, noun_word)
    return verb_class, noun_class, verb, noun


def _class_and_word(
    text: Mapping[str, str],
    part: str,
    narration: str,
    groups: Groups,
    derive: Callable[[str, frozenset[str]], str | None],
) -> tuple[str | None, str | None]:
    name = text[f"{part}_class"]
    word = text[f"{part}_word"].lower() or derive(narration, groups.words_of(name))
    return name or (None if word is None else groups.class_of(word)), word


def _text(value: Any) -> str:
    """A cell as text; numbers keep their digits, empty cells are ""."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def _read_csv(path: Path) -> Iterator[Record]:
    layout = read_layout(path, NEEDED)
    _check_columns(path, list(layout.columns))
    yield from read_rows(path, layout)


def _read_parquet(path: Path) -> Iterator[Record]:
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            names = file.schema_arrow.names
            _check_columns(path, names)
            used = [name for name in _COLUMNS if name in names]
            batches = file.iter_batches(_ROWS_PER_BATCH, columns=used)
            rows = chain.from_iterable(batch.to_pylist() for batch in batches)
            for number, row in enumerate(rows, start=1):
                yield Record(f"{path.name}, row {number}", row)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error


def _read_jsonl(path: Path) -> Iterator[Record]:
    with open_text(path, find_encoding(path)) as file:
        rows = (
            _json_row(f"{path.name}, line {number}", line)
            for number, line in enumerate(file, start=1)
            if line.strip()
        )
        try:
            first = list(islice(rows, _ROWS_PER_BATCH))
            # A row may leave out what it does not have.
            names = chain.from_iterable(record.cells for record in first)
            _check_columns(path, list(dict.fromkeys(names)))
            yield from chain(first, rows)
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not text: {error}") from error


def _json_row(place: str, line: str) -> Record:
    try:
        row = json.loads(line) if is_decoded(line) else None
    except json.JSONDecodeError:
        row = None
    if isinstance(row, dict):
        return Record(place, row)
    return Record(place, fault="no JSON object in UTF-8", text=printable(line))


def _check_columns(path: Path, names: list[str]) -> None:
    """Require the needed columns, and no column that is read twice."""
    found = ", ".join(names) or "none"
    for name in NEEDED:
        has_segment = name == "time" and {*_SEGMENT} <= {*names}
        if name not in names and not has_segment:
            raise DataError(
                f"{path}: column '{name}' is missing; there are: {found}"
                f" (needed: {', '.join(NEEDED)}; start and end will do for time)"
            )
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        raise DataError(f"{path}: column '{twice[0]}' is there twice; there are: {found}")


_READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}
