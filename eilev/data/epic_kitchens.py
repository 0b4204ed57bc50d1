"""EPIC-KITCHENS-100 annotations (epic-kitchens-100-annotations, EPIC_100_*.csv) as narrations."""

import ast
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd

from eilev import schema
from eilev.data.phrases import compound_words, to_sentence
from eilev.data.source import Annotations
from eilev.data.words import find_words, first_verb
from eilev.io import DataError

_COLUMNS = [
    "narration_id",
    "video_id",
    "start_timestamp",
    "stop_timestamp",
    "narration",
    "verb",
    "verb_class",
    "noun",
    "noun_class",
    "all_nouns",
]
# EPIC-100's extension, EPIC-55 by participant, EPIC-55 split in train and test, one flat folder.
_LAYOUTS = (
    "P*/videos/*",
    "P*/rgb/*",
    "videos/*/P*/*",
    "*/P*/*",
    "P*/*",
    "*",
)
_PARTS = ("verb", "noun")
_TIME = re.compile(r"(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


def read_epic_kitchens(path: Path, videos: Path | None) -> Annotations:
    """Read one CSV file of segments or all of a folder; classes are named if their CSVs are there.

    The time of a narration is its `narration_timestamp`, else the middle of its segment.

    Raises:
        DataError: no file has segments, or a file lacks a column.
    """
    found = None if videos is None else _find_videos(videos)
    folder = path if path.is_dir() else path.parent
    names = {part: _class_names(folder / f"EPIC_100_{part}_classes.csv") for part in _PARTS}
    kept: list[tuple[Any, ...]] = []
    rejected: list[tuple[Any, ...]] = []
    seen: set[str] = set()
    for values in _read_segments(path).to_dict("records"):
        record = {str(name): str(value) for name, value in values.items()}
        row = _row(record, names)
        video = _video(row[1], found)
        reason = _reject_reason(row, video, seen)
        if reason is None:
            seen.add(row[0])
            kept.append((*row[:2], video, *row[3:]))
        else:
            rejected.append((row[0], row[1], record["narration"] or None, reason))
    return Annotations(
        pd.DataFrame(kept, columns=schema.NARRATIONS.names),
        pd.DataFrame(rejected, columns=schema.REJECTS.names),
    )


def _read_segments(path: Path) -> pd.DataFrame:
    files = sorted(path.glob("EPIC_100_*.csv")) if path.is_dir() else [path]
    tables = [(file, _read_csv(file)) for file in files]
    # A folder has tables of classes and of unlabelled test segments too.
    chosen = [(f, t) for f, t in tables if not path.is_dir() or "narration" in t.columns]
    if not chosen:
        raise DataError(f"{path}: no EPIC_100_*.csv with a column 'narration' is there")
    for file, table in chosen:
        missing = [name for name in _COLUMNS if name not in table.columns]
        if missing:
            raise DataError(
                f"{file}: column '{missing[0]}' is missing; give EPIC_100_train.csv"
                " or EPIC_100_validation.csv as published"
            )
    return pd.concat([table for _, table in chosen], ignore_index=True).fillna("")


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable CSV file: {error}") from error


def _class_names(path: Path) -> dict[str, str]:
    """Number of a class to its key as words joined by "_"; empty without the file."""
    if not path.is_file():
        return {}
    table = _read_csv(path)
    if not {"id", "key"} <= set(table.columns):
        raise DataError(f"{path}: columns 'id' and 'key' are needed")
    keys = (compound_words(key).replace(" ", "_") for key in table["key"])
    return dict(zip(table["id"], keys, strict=True))


def _find_videos(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for layout in _LAYOUTS:
        for file in sorted(folder.glob(layout)):
            if file.suffix.lower() == ".mp4":
                found.setdefault(file.stem, str(file))
    return found


def _video(video_id: str, found: dict[str, str] | None) -> str | None:
    return f"{video_id}.MP4" if found is None else found.get(video_id)


def _row(record: dict[str, str], names: dict[str, dict[str, str]]) -> tuple[Any, ...]:
    """A row of schema.NARRATIONS with an empty path and NaN for an unreadable time."""
    noun, verb = compound_words(record["noun"]), compound_words(record["verb"])
    sentence = to_sentence(record["narration"], _noun_words(record))
    verbs = find_words(sentence, {verb, verb.split(" ")[0]}, "VERB")
    nouns = find_words(sentence, {noun, noun.split(" ")[-1]}, "NOUN")
    return (
        record["narration_id"],
        record["video_id"],
        "",
        _time(record),
        sentence,
        _class_name(record["verb_class"], names["verb"]),
        _class_name(record["noun_class"], names["noun"]),
        verbs[0] if verbs else first_verb(sentence),
        nouns[0] if nouns else None,
    )


def _noun_words(record: dict[str, str]) -> frozenset[str]:
    try:
        nouns = [str(noun) for noun in ast.literal_eval(record["all_nouns"] or "[]")]
    except (ValueError, SyntaxError, TypeError):
        nouns = [record["noun"]]
    return frozenset(word for noun in nouns for word in compound_words(noun).split())


def _class_name(number: str, names: dict[str, str]) -> str | None:
    return names.get(number, number) if number.isdigit() else None


def _time(record: dict[str, str]) -> float:
    """Seconds; NaN where neither the narration's time nor the segment's is readable."""
    spoken = _seconds(record.get("narration_timestamp", ""))
    middle = (_seconds(record["start_timestamp"]) + _seconds(record["stop_timestamp"])) / 2
    return middle if math.isnan(spoken) else spoken


def _seconds(text: str) -> float:
    """`HH:MM:SS.ss` in seconds.

    >>> _seconds("00:01:02.50")
    62.5
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return math.nan
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def _reject_reason(row: tuple[Any, ...], video: str | None, seen: set[str]) -> str | None:
    """Why a row is left out; the first of several reasons, None where there is none."""
    if not row[4]:
        return "empty narration"
    if math.isnan(row[3]):
        return "missing timestamp"
    if video is None:
        return "video not found"
    return "duplicate narration id" if row[0] in seen else None
