"""Ego4D's forecasting-hands-objects annotations (`fho_main.json`, v1 and v2) as narrations.

The schema is published on ego4d-data.org (annotation schemas); the synthetic source writes it too.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson

from eilev.io import DataError, read_json
from eilev.language.words import (
    class_words,
    clean_narration,
    find_words,
    first_verb,
    says_something,
)
from eilev.sources.annotations import (
    VIDEO_NOT_FOUND,
    Annotations,
    Reject,
    Row,
    collect,
)
from eilev.sources.video_files import find_videos

_BY_CAMERA_WEARER = re.compile(r"#c\s+c", re.IGNORECASE)
_NULL = type(None)


def read_ego4d(path: Path, videos: Path | None) -> Annotations:
    """Read `fho_main.json` video by video, filtered as the reference does.

    Kept are actions that are not rejected, are valid, and that the camera wearer does ("#C C").
    The noun class is that of the first object of change in a point-of-no-return frame; it is null
    where the annotators marked none. Videos are looked for in `videos` and the folders inside it.

    Raises:
        DataError: the file is not JSON or breaks its schema (the message has the key path).
    """
    found = None if videos is None else find_videos(videos)
    try:
        return collect(_actions(path), lambda action: _convert(action, found))
    except _SchemaError as error:
        raise DataError(f"{path}: not in the schema of fho_main.json: {error}") from error


@dataclass(frozen=True)
class _Action:
    """One `narrated_actions` entry, the place where it stands in the file, and its id."""

    record: dict[str, Any]
    where: str
    video_id: str
    narration_id: str


def _actions(path: Path) -> Iterator[_Action]:
    for v, video in enumerate(_videos(path)):
        where = f"videos[{v}]"
        video_id = _field(video, "video_uid", (str,), where)
        number = 0
        for i, interval in enumerate(_list(video, "annotated_intervals", where)):
            inner = f"{where}.annotated_intervals[{i}]"
            for a, record in enumerate(_list(interval, "narrated_actions", inner)):
                place = f"{inner}.narrated_actions[{a}]"
                uid = _dict(record, place).get("uid") or f"{video_id}_{number:05d}"
                yield _Action(record, place, video_id, str(uid))
                number += 1


def _videos(path: Path) -> Iterator[Any]:
    """Items of `videos`, one at a time: the file takes nearly four times its size in memory."""
    num_read = 0
    try:
        _check_top_level(path)
        with path.open("rb") as file:
            for video in ijson.items(file, "videos.item", use_float=True):
                yield video
                num_read += 1
    except ijson.JSONError:
        # NaN, which Python writes, is not JSON; anything else that is not JSON fails here too.
        yield from _list(read_json(path), "videos", "")[num_read:]


def _check_top_level(path: Path) -> None:
    with path.open("rb") as file:
        events = ijson.basic_parse(file)
        event, _ = next(events)
        if event != "start_map":
            raise _SchemaError(f"the top level is {_KINDS.get(event, event)}, expected dict")
    with path.open("rb") as file:
        for prefix, event, _ in ijson.parse(file):
            if prefix == "videos":
                if event != "start_array":
                    raise _SchemaError(f"videos is {_KINDS.get(event, event)}, expected list")
                return
    raise _SchemaError("videos is missing")


# What the parser calls the start of a value.
_KINDS = {"start_array": "list", "start_map": "dict", "string": "str", "null": "NoneType"}


def _convert(action: _Action, found: dict[str, str] | None) -> Row | Reject:
    reason = _reject_reason(action, found)
    if reason is None:
        return _row(action, found)
    text = action.record["narration_text"]
    return Reject(action.narration_id, action.video_id, text, reason)


def _reject_reason(action: _Action, found: dict[str, str] | None) -> str | None:
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
    return VIDEO_NOT_FOUND if found is not None and action.video_id not in found else None


def _row(action: _Action, found: dict[str, str] | None) -> Row:
    record = action.record
    narration = clean_narration(record["narration_text"])
    verb_class = _field(record, "structured_verb", (str, _NULL), action.where) or None
    noun_class = _noun_class(action)
    file = f"{action.video_id}.mp4"
    return (
        action.narration_id,
        action.video_id,
        file if found is None else found[action.video_id],
        float(record["narration_timestamp_sec"]),
        narration,
        verb_class,
        noun_class,
        _verb_word(narration, verb_class),
        _noun_word(narration, noun_class),
    )


def _noun_class(action: _Action) -> str | None:
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


def _list(record: Any, key: str, where: str) -> list[Any]:
    found: list[Any] = _field(record, key, (list,), where)
    return found


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
