"""EPIC-KITCHENS-100 annotations (epic-kitchens-100-annotations, EPIC_100_*.csv) as narrations."""

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from eilev.io import DataError
from eilev.language.words import find_words, first_verb
from eilev.sources.annotations import (
    VIDEO_NOT_FOUND,
    Annotations,
    Kept,
    Reject,
    collect,
)
from eilev.sources.csv_files import Layout, Record, read_layout, read_rows
from eilev.sources.english.phrase_parts import compound_words
from eilev.sources.english.phrases import to_sentence
from eilev.sources.times import Rule, Timing, take_time
from eilev.sources.video_files import Folder, find_videos

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
_PARTS = ("verb", "noun")
_TIME = re.compile(r"(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


def read_epic_kitchens(path: Path, videos: Folder | None, rule: Rule) -> Annotations:
    """Read one CSV file of segments or all of a folder; classes are named if their CSVs are there.

    The time of a narration is the middle of its segment, or by the rule "narration" (the
    reference's) its `narration_timestamp`; where the one is missing, it is the other. The published
    EPIC_100_*_missing_timestamp_narrations.csv list narrations without a time of their own.
    Videos are found in the layouts of EPIC-55, EPIC-100 and the download script. A row that can't
    be read or lacks something is a reject.

    Raises:
        DataError: no file has segments, or a file lacks a column.
    """
    folder = path if path.is_dir() else path.parent
    names = {part: _class_names(folder / f"EPIC_100_{part}_classes.csv") for part in _PARTS}
    found = None if videos is None else find_videos(videos)
    context = _Context(names, _untimed(folder), found, rule)
    return collect(_read_segments(path), lambda record: _convert(record, context))


@dataclass(frozen=True)
class _Context:
    """What a segment needs to know to become a narration."""

    # Part of speech to number of a class to its name.
    class_names: dict[str, dict[str, str]]
    # Narrations that are known to have no time of their own.
    untimed: frozenset[str]
    # Video to its path; None where none is looked for.
    videos: dict[str, str] | None
    # Which time counts.
    rule: Rule


def _convert(record: Record, context: _Context) -> Kept | Reject:
    values = record.cells
    if record.fault:
        return Reject(
            record.place, "", record.text, "unreadable row", f"{record.place}: {record.fault}"
        )
    name, video_id, phrase = values["narration_id"], values["video_id"], values["narration"]
    file = f"{video_id}.MP4" if context.videos is None else context.videos.get(video_id)
    sentence = to_sentence(phrase, _nouns(values))
    timing = _timing(values, context)
    reason = _reject_reason(values, sentence, timing, file)
    if reason is not None:
        return Reject(name or record.place, video_id, phrase or None, reason, record.place)
    verbs, nouns = _words(values, sentence)
    row = (
        name,
        video_id,
        file,
        timing.time_s,
        sentence,
        _class_name(values["verb_class"], context.class_names["verb"]),
        _class_name(values["noun_class"], context.class_names["noun"]),
        verbs[0] if verbs else first_verb(sentence),
        nouns[0] if nouns else None,
    )
    return Kept(row, timing)


def _reject_reason(
    values: Mapping[str, str], sentence: str, timing: Timing, file: str | None
) -> str | None:
    """Why a segment is left out; the first of several reasons, None where there is none."""
    missing = next((key for key in ("narration_id", "video_id") if not values[key]), None)
    if missing:
        return f"missing {missing}"
    if not sentence:
        return (
            "narration without a verb"
            if re.search(r"\w", values["narration"])
            else "empty narration"
        )
    if math.isnan(timing.time_s):
        return "missing timestamp"
    return VIDEO_NOT_FOUND if file is None else None


def _words(record: Mapping[str, str], sentence: str) -> tuple[list[str], list[str]]:
    """Words for the verb and for the noun that are in the sentence, the best first."""
    noun, verb = compound_words(record["noun"]), compound_words(record["verb"])
    return (
        find_words(sentence, {verb, verb.split(" ")[0]}, "VERB"),
        find_words(sentence, {noun, noun.split(" ")[-1]}, "NOUN"),
    )


def _untimed(folder: Path) -> frozenset[str]:
    """Ids in the published lists of narrations without a time."""
    ids: set[str] = set()
    for path in sorted(folder.glob("EPIC_100_*_missing_timestamp_narrations.csv")):
        table = _read_csv(path)
        if "narration_id" not in table.columns:
            raise DataError(f"{path}: column 'narration_id' is missing")
        ids.update(table["narration_id"])
    return frozenset(ids)


def _read_segments(path: Path) -> Iterator[Record]:
    files = sorted(path.glob("EPIC_100_*.csv")) if path.is_dir() else [path]
    layouts = [(file, read_layout(file, _COLUMNS)) for file in files]
    # A folder has tables of classes and of unlabelled test segments too.
    chosen = [(f, at) for f, at in layouts if not path.is_dir() or "narration" in at.columns]
    if not chosen:
        raise DataError(f"{path}: no EPIC_100_*.csv with a column 'narration' is there")
    for file, layout in chosen:
        _check_columns(file, layout)
    for file, layout in chosen:
        yield from read_rows(file, layout)


def _check_columns(file: Path, layout: Layout) -> None:
    missing = [name for name in _COLUMNS if name not in layout.columns]
    if missing:
        raise DataError(
            f"{file}: column '{missing[0]}' is missing; give EPIC_100_train.csv"
            " or EPIC_100_validation.csv as published"
        )


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


def _nouns(record: Mapping[str, str]) -> list[str]:
    try:
        return [str(noun) for noun in ast.literal_eval(record["all_nouns"] or "[]")]
    except (ValueError, SyntaxError, TypeError):
        return [record["noun"]]


def _class_name(number: str, names: dict[str, str]) -> str | None:
    return names.get(number, number) if number.isdigit() else None


def _timing(values: Mapping[str, str], context: _Context) -> Timing:
    is_untimed = values["narration_id"] in context.untimed
    told = math.nan if is_untimed else _seconds(values.get("narration_timestamp", ""))
    start, stop = _seconds(values["start_timestamp"]), _seconds(values["stop_timestamp"])
    return take_time(told, start, stop, context.rule)


def _seconds(text: str) -> float:
    """`HH:MM:SS.ss` in seconds.

    >>> _seconds("00:01:02.50")
    62.5
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return math.nan
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
