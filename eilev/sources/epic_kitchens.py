"""EPIC-KITCHENS-100 annotations (epic-kitchens-100-annotations, EPIC_100_*.csv) as narrations."""

import ast
import math
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from eilev.io import DataError
from eilev.language.words import find_words, first_verb
from eilev.sources.annotations import (
    VIDEO_NOT_FOUND,
    Annotations,
    Reject,
    Row,
    collect,
)
from eilev.sources.english.phrase_parts import compound_words
from eilev.sources.english.phrases import to_sentence
from eilev.sources.video_files import find_videos

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


def read_epic_kitchens(path: Path, videos: Path | None) -> Annotations:
    """Read one CSV file of segments or all of a folder; classes are named if their CSVs are there.

    The time of a narration is its `narration_timestamp`. Where that is missing, as it is for the
    narrations that the published EPIC_100_*_missing_timestamp_narrations.csv list, it is the middle
    of the segment. Videos are found in the layouts of EPIC-55, EPIC-100 and the download script.

    Raises:
        DataError: no file has segments, or a file lacks a column.
    """
    folder = path if path.is_dir() else path.parent
    names = {part: _class_names(folder / f"EPIC_100_{part}_classes.csv") for part in _PARTS}
    context = _Context(names, _untimed(folder), None if videos is None else find_videos(videos))
    segments = _read_segments(path)
    records = (
        dict(zip(segments.columns, map(str, values), strict=True))
        for values in segments.itertuples(index=False, name=None)
    )
    return collect(records, lambda record: _convert(record, context))


@dataclass(frozen=True)
class _Context:
    """What a segment needs to know to become a narration."""

    # Part of speech to number of a class to its name.
    class_names: dict[str, dict[str, str]]
    # Narrations that are known to have no time of their own.
    untimed: frozenset[str]
    # Video to its path; None where none is looked for.
    videos: dict[str, str] | None


def _convert(record: dict[str, str], context: _Context) -> Row | Reject:
    video_id, phrase = record["video_id"], record["narration"]
    file = f"{video_id}.MP4" if context.videos is None else context.videos.get(video_id)
    sentence = to_sentence(phrase, _nouns(record))
    time = _time(record, is_untimed=record["narration_id"] in context.untimed)
    reason = _reject_reason(phrase, sentence, time, file)
    if reason is not None:
        return Reject(record["narration_id"], video_id, phrase or None, reason)
    verbs, nouns = _words(record, sentence)
    return (
        record["narration_id"],
        video_id,
        file,
        time,
        sentence,
        _class_name(record["verb_class"], context.class_names["verb"]),
        _class_name(record["noun_class"], context.class_names["noun"]),
        verbs[0] if verbs else first_verb(sentence),
        nouns[0] if nouns else None,
    )


def _reject_reason(phrase: str, sentence: str, time: float, file: str | None) -> str | None:
    """Why a segment is left out; the first of several reasons, None where there is none."""
    if not sentence:
        return "narration without a verb" if re.search(r"\w", phrase) else "empty narration"
    if math.isnan(time):
        return "missing timestamp"
    return VIDEO_NOT_FOUND if file is None else None


def _words(record: dict[str, str], sentence: str) -> tuple[list[str], list[str]]:
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


def _nouns(record: dict[str, str]) -> list[str]:
    try:
        return [str(noun) for noun in ast.literal_eval(record["all_nouns"] or "[]")]
    except (ValueError, SyntaxError, TypeError):
        return [record["noun"]]


def _class_name(number: str, names: dict[str, str]) -> str | None:
    return names.get(number, number) if number.isdigit() else None


def _time(record: dict[str, str], *, is_untimed: bool) -> float:
    """Seconds; NaN where neither the narration's time nor the segment's is readable."""
    spoken = math.nan if is_untimed else _seconds(record.get("narration_timestamp", ""))
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
