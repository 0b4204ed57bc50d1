"""A table of one's own narrations (CSV, TSV, Parquet or JSONL) as narrations.

Columns: `video`, `time` and `narration`; optional are `narration_id`, `verb_word`, `noun_word`,
`verb_class` and `noun_class`. Others are ignored. Files are read in batches.
"""

import csv
import datetime
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eilev.io import DataError
from eilev.language.words import clean_narration, says_something
from eilev.sources.annotations import VIDEO_NOT_FOUND, Annotations, Reject, Row, collect
from eilev.sources.english.main_words import noun_word, verb_word
from eilev.sources.synonyms import Groups, Synonyms

NEEDED = ("video", "time", "narration")
OPTIONAL = ("narration_id", "verb_word", "noun_word", "verb_class", "noun_class")
_COLUMNS = (*NEEDED, *OPTIONAL)
_ROWS_PER_BATCH = 1_000
_CLOCK = re.compile(r"(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)")

# A row by column, or the text of a line that cannot be read.
_Record = Mapping[str, Any] | str


def read_table_source(path: Path, videos: Path | None, synonyms: Synonyms) -> Annotations:
    """Read a table or all tables of a folder; relative video paths start at `videos`.

    Raises:
        DataError: a file cannot be read as what its suffix says, or lacks a needed column (the
            message lists those that it has).
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    tables = [file for file in files if file.suffix.lower() in _READERS]
    if not tables:
        raise DataError(f"{path}: no table; its suffix must be one of {', '.join(_READERS)}")
    reader = _Reader(videos, synonyms, Counter())
    rows = chain.from_iterable(_READERS[table.suffix.lower()](table) for table in tables)
    return collect(rows, reader.convert)


@dataclass(frozen=True)
class _Reader:
    """What a row needs to know to become a narration."""

    videos: Path | None
    synonyms: Synonyms
    # Video to the number of its rows without an id so far.
    num_rows: Counter[str]

    def convert(self, record: _Record) -> Row | Reject:
        if isinstance(record, str):
            return Reject(self._next_id(""), "", record, "unreadable row")
        text = {name: _text(record.get(name)) for name in _COLUMNS if name != "time"}
        video = str(PurePosixPath(text["video"])) if text["video"] else ""
        narration_id = text["narration_id"] or self._next_id(video)
        narration = clean_narration(text["narration"])
        time = _seconds(record.get("time"))
        path = video if self.videos is None else _video_path(self.videos, video)
        reason = _reject_reason(video, narration, time, path)
        if reason is not None:
            return Reject(narration_id, video, text["narration"] or None, reason)
        words_and_classes = _words_and_classes(text, narration, self.synonyms)
        return (narration_id, video, path, time, narration, *words_and_classes)

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


@lru_cache(maxsize=1 << 16)
def _video_path(videos: Path, video: str) -> str | None:
    """Path of a video's file, None without one."""
    path = videos / video  # An absolute path stays itself.
    return str(path) if video and path.is_file() else None


def _text(value: Any) -> str:
    """A cell as text; numbers keep their digits, empty cells are ""."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def _seconds(value: Any) -> float | str:
    """Seconds from the start of the video, or why there are none.

    >>> _seconds("62.5"), _seconds("00:01:02.500"), _seconds("soon")
    (62.5, 62.5, 'unreadable time')
    """
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    text = _text(value.isoformat() if isinstance(value, datetime.time) else value)
    if not text:
        return "missing time"
    clock = _CLOCK.fullmatch(text)
    if clock:
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    try:
        seconds = float(text)
    except ValueError:
        return "unreadable time"
    if not math.isfinite(seconds) or isinstance(value, bool):
        return "unreadable time"
    return "negative time" if seconds < 0 else seconds


def _read_csv(path: Path) -> Iterator[_Record]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        # Strict, or a quotation mark that is never closed would swallow the rows after it.
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_columns(path, header)
            for row in reader:
                if row:
                    fits = len(row) == len(header)
                    yield dict(zip(header, row, strict=True)) if fits else delimiter.join(row)
        except (csv.Error, UnicodeDecodeError) as error:
            place = f"{path}: line {reader.line_num}"
            raise DataError(f"{place}: not a readable table in UTF-8: {error}") from error


def _read_parquet(path: Path) -> Iterator[_Record]:
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _check_columns(path, names)
            used = [name for name in _COLUMNS if name in names]
            for batch in file.iter_batches(_ROWS_PER_BATCH, columns=used):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error


def _read_jsonl(path: Path) -> Iterator[_Record]:
    with path.open(encoding="utf-8-sig") as file:
        rows = (_json_row(line) for line in file if line.strip())
        try:
            first = list(islice(rows, _ROWS_PER_BATCH))
            # A row may leave out what it does not have.
            _check_columns(path, list(dict.fromkeys(chain.from_iterable(map(_keys, first)))))
            yield from chain(first, rows)
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not in UTF-8: {error}") from error


def _json_row(line: str) -> _Record:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return line.strip()
    return row if isinstance(row, dict) else line.strip()


def _keys(record: _Record) -> list[str]:
    return [] if isinstance(record, str) else list(record)


def _check_columns(path: Path, names: list[str]) -> None:
    """Require the needed columns, and no column that is read twice."""
    found = ", ".join(names) or "none"
    for name in NEEDED:
        if name not in names:
            raise DataError(
                f"{path}: column '{name}' is missing; there are: {found}"
                f" (needed: {', '.join(NEEDED)}; a .csv separates them by commas)"
            )
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        raise DataError(f"{path}: column '{twice[0]}' is there twice; there are: {found}")


_READERS: dict[str, Callable[[Path], Iterator[_Record]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}
