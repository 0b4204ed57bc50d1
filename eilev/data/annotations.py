"""Narrated actions of a source as one narration table, with every left-out action and its reason.

One adapter per source. `ego4d` reads the schema of Ego4D's `fho_main.json` (published on
ego4d-data.org, annotation schemas), which the synthetic source writes too; `epic_kitchens` is
eilev/data/epic_kitchens.py.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from eilev import schema
from eilev.config import IngestConfig, Source
from eilev.data.epic_kitchens import read_epic_kitchens
from eilev.data.source import Annotations
from eilev.data.words import class_words, clean_narration, find_words, first_verb, says_something
from eilev.io import DataError, read_json

_BY_CAMERA_WEARER = re.compile(r"#c\s+c", re.IGNORECASE)
_NULL = type(None)


def read_annotations(config: IngestConfig) -> Annotations:
    """Read the annotations of a source, leaving out narrations whose video is not on disk.

    Raises:
        DataError: as `read_source`, or the folder of videos is missing.
    """
    videos = Path(config.videos)
    if not videos.is_dir():
        raise DataError(f"{videos}: no such folder; set ingest.videos in params.yaml")
    return read_source(config.source, Path(config.annotations), videos)


def read_source(source: Source, annotations: Path, videos: Path | None) -> Annotations:
    """Read the annotations of a source; without `videos` none is looked for on disk.

    Raises:
        DataError: a path is missing, the file breaks its schema (the message has the key path), or
            no narration is left (the message has the reasons).
    """
    if not (annotations.is_file() or (source == "epic_kitchens" and annotations.is_dir())):
        raise DataError(f"{annotations}: no such file; set ingest.annotations in params.yaml")
    result = _ADAPTERS[source](annotations, videos)
    if result.narrations.empty:
        counts = ", ".join(f"{count} {reason}" for reason, count in result.reject_counts().items())
        reasons = f"all {len(result.rejects)} were left out: {counts}" if counts else "it has none"
        raise DataError(f"{annotations}: no narrated action is usable; {reasons}")
    return result


@dataclass(frozen=True)
class _Action:
    """One `narrated_actions` entry, the place where it stands in the file, and its id."""

    record: dict[str, Any]
    where: str
    video_id: str
    narration_id: str


def _read_ego4d(path: Path, videos: Path | None) -> Annotations:
    """Ego4D's forecasting-hands-objects annotations, filtered as the reference does.

    Kept are actions that are not rejected, are valid, and that the camera wearer does ("#C C").
    The noun class is that of the first object of change in a point-of-no-return frame; it is null
    where the annotators marked none.
    """
    kept: list[tuple[Any, ...]] = []
    rejected: list[tuple[Any, ...]] = []
    seen: set[str] = set()
    on_disk = None if videos is None else {file.stem for file in videos.glob("*.mp4")}
    try:
        for action in _ego4d_actions(read_json(path)):
            reason = _ego4d_reject_reason(action, on_disk, seen)
            if reason is None:
                seen.add(action.narration_id)
                kept.append(_ego4d_row(action, videos or Path()))
            else:
                text = action.record["narration_text"]
                rejected.append((action.narration_id, action.video_id, text, reason))
    except _SchemaError as error:
        raise DataError(f"{path}: not in the schema of fho_main.json: {error}") from error
    return Annotations(
        pd.DataFrame(kept, columns=schema.NARRATIONS.names),
        pd.DataFrame(rejected, columns=schema.REJECTS.names),
    )


def _ego4d_actions(root: Any) -> Iterator[_Action]:
    for v, video in enumerate(_field(root, "videos", (list,), "")):
        where = f"videos[{v}]"
        video_id = _field(video, "video_uid", (str,), where)
        number = 0
        for i, interval in enumerate(_field(video, "annotated_intervals", (list,), where)):
            inner = f"{where}.annotated_intervals[{i}]"
            for a, record in enumerate(_field(interval, "narrated_actions", (list,), inner)):
                place = f"{inner}.narrated_actions[{a}]"
                uid = _dict(record, place).get("uid") or f"{video_id}_{number:05d}"
                yield _Action(record, place, video_id, str(uid))
                number += 1


def _ego4d_reject_reason(action: _Action, on_disk: set[str] | None, seen: set[str]) -> str | None:
    """Why an action is left out; the first of several reasons, None where there is none."""
    record, where = action.record, action.where
    text = _field(record, "narration_text", (str, _NULL), where)
    timestamp = _field(record, "narration_timestamp_sec", (int, float, _NULL), where)
    if _field(record, "is_rejected", (bool, _NULL), where):
        return "rejected"
    if not _field(record, "is_valid_action", (bool, _NULL), where):
        return "invalid"
    if not says_something(clean_narration(text or "")):
        return "empty narration"
    if not _BY_CAMERA_WEARER.match(text):
        return "not the camera wearer"
    if timestamp is None or not math.isfinite(timestamp):
        return "missing timestamp"
    if on_disk is not None and action.video_id not in on_disk:
        return "video not found"
    return "duplicate narration id" if action.narration_id in seen else None


def _ego4d_row(action: _Action, videos: Path) -> tuple[Any, ...]:
    """A row of schema.NARRATIONS."""
    record = action.record
    narration = clean_narration(record["narration_text"])
    verb_class = _field(record, "structured_verb", (str, _NULL), action.where) or None
    noun_class = _ego4d_noun_class(action)
    return (
        action.narration_id,
        action.video_id,
        str(videos / f"{action.video_id}.mp4"),
        float(record["narration_timestamp_sec"]),
        narration,
        verb_class,
        noun_class,
        _verb_word(narration, verb_class),
        _noun_word(narration, noun_class),
    )


def _ego4d_noun_class(action: _Action) -> str | None:
    """First noun of an object-of-change box in a `pnr_frame`; null where there is none."""
    frames = _field(action.record, "frames", (list, _NULL), action.where) or []
    for f, frame in enumerate(frames):
        where = f"{action.where}.frames[{f}]"
        if _field(frame, "frame_type", (str, _NULL), where) != "pnr_frame":
            continue
        for b, box in enumerate(_field(frame, "boxes", (list, _NULL), where) or []):
            place = f"{where}.boxes[{b}]"
            if _field(box, "object_type", (str, _NULL), place) == "object_of_change":
                noun: str | None = _field(box, "structured_noun", (str, _NULL), place)
                if noun:
                    return noun
    return None


def _verb_word(narration: str, verb_class: str | None) -> str | None:
    """The class's word that the narrator used, else the narration's first verb."""
    found = find_words(narration, class_words(verb_class or ""), "VERB")
    return found[0] if found else first_verb(narration)


def _noun_word(narration: str, noun_class: str | None) -> str | None:
    """The class's word that the narrator used; null where it is none that the class names."""
    found = find_words(narration, class_words(noun_class or ""), "NOUN")
    return found[0] if found else None


class _SchemaError(ValueError):
    """A value is not where or what the schema says; the message has its key path."""


def _dict(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _SchemaError(f"{where or 'the top level'} is {type(value).__name__}, expected dict")
    return value


def _field(record: Any, key: str, kinds: tuple[type, ...], where: str) -> Any:
    """Value of a required key, which must be of one of `kinds` (a bool is no number)."""
    path = f"{where}.{key}" if where else key
    if key not in _dict(record, where):
        raise _SchemaError(f"{path} is missing")
    value = record[key]
    if type(value) not in kinds:
        expected = " or ".join("null" if kind is _NULL else kind.__name__ for kind in kinds)
        raise _SchemaError(f"{path} is {type(value).__name__}, expected {expected}")
    return value


_ADAPTERS: dict[Source, Callable[[Path, Path | None], Annotations]] = {
    "ego4d": _read_ego4d,
    "epic_kitchens": read_epic_kitchens,
}
