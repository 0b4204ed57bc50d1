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
    Kept,
    Reject,
    collect,
)
from eilev.sources.times import Timing, take_time
from eilev.sources.video_files import Folder, find_videos

_BY_CAMERA_WEARER = re.compile(r"#c\s+c", re.IGNORECASE)
_NULL = type(None)


def read_ego4d(path: Path, videos: Folder | None) -> Annotations:
    """Read `fho_main.json` video by video, filtered as the reference does.

    Kept are actions that are not rejected, are valid, and that the camera wearer does ("#C C").
    Their time is the narrator's (`narration_timestamp_sec`), as in the reference, but where it lies
    outside of the action's own segment: there it is the segment's middle.
    The noun class is that of the first object of change in a point-of-no-return frame; it is null
    where the annotators marked none. Videos are looked for in `videos` and the folders inside it.
    A video, interval or action that breaks the schema is a reject with its key path.

    Raises:
        DataError: the file is not JSON, or has no list `videos`.
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
    # Frames per second of the video; NaN where its metadata does not say.
    fps: float


def _actions(path: Path) -> Iterator[_Action | Reject]:
    for v, video in enumerate(_videos(path)):
        where = f"videos[{v}]"
        try:
            video_id = _field(video, "video_uid", (str,), where)
            intervals = _list(video, "annotated_intervals", where)
        except _SchemaError as error:
            yield _reject(where, _video_id(video), error)
            continue
        yield from _actions_of_video(video, intervals, where, video_id)


def _actions_of_video(
    video: dict[str, Any], intervals: list[Any], where: str, video_id: str
) -> Iterator[_Action | Reject]:
    metadata = video.get("video_metadata")
    fps = (_number(metadata, "fps") if isinstance(metadata, dict) else 0.0) or math.nan
    number = 0
    for i, interval in enumerate(intervals):
        inner = f"{where}.annotated_intervals[{i}]"
        try:
            records = _list(interval, "narrated_actions", inner)
        except _SchemaError as error:
            yield _reject(inner, video_id, error)
            continue
        for a, record in enumerate(records):
            place = f"{inner}.narrated_actions[{a}]"
            uid = record.get("uid") if isinstance(record, dict) else None
            name = str(uid or f"{video_id}_{number:05d}")
            yield _Action(record, place, video_id, name, fps)
            number += 1


def _video_id(video: Any) -> str:
    uid = video.get("video_uid") if isinstance(video, dict) else None
    return uid if isinstance(uid, str) else ""


def _reject(name: str, video_id: str, error: "_SchemaError", text: Any = None) -> Reject:
    narration = text if isinstance(text, str) else None
    return Reject(name, video_id, narration, "not in the schema", str(error))


def _videos(path: Path) -> Iterator[Any]:
    """Items of `videos`, one at a time: the file takes nearly four times its size in memory."""
    num_read = 0
    try:
        _check_top_level(path)
        with path.open("rb") as file:
            for video in ijson.items(file, "videos.item", use_float=True):
                yield video
                num_read += 1
    except (ijson.JSONError, UnicodeDecodeError):
        # NaN, which Python writes, is not JSON, and the second half of a surrogate pair alone,
        # which is, is not read; anything else that is not JSON fails here too.
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
_KINDS = {"start_array": "list", "start_map": "dict", "string": "str", "null": "null"}


def _convert(action: _Action | Reject, found: dict[str, str] | None) -> Kept | Reject:
    if isinstance(action, Reject):
        return action
    try:
        reason = _reject_reason(action, found)
        if reason is None:
            return _kept(action, found)
    except _SchemaError as error:
        text = action.record.get("narration_text") if isinstance(action.record, dict) else None
        return _reject(action.narration_id, action.video_id, error, text)
    text = action.record["narration_text"]
    return Reject(action.narration_id, action.video_id, text, reason)


def _reject_reason(action: _Action, found: dict[str, str] | None) -> str | None:
    """Why an action is left out; the first of several reasons, None where there is none."""
    record, where = action.record, action.where
    text = _field(record, "narration_text", (str, _NULL), where)
    _field(record, "narration_timestamp_sec", (int, float, _NULL), where)
    if _field(record, "is_rejected", (bool, _NULL), where):
        return "rejected"
    if not _field(record, "is_valid_action", (bool, _NULL), where):
        return "invalid"
    if not says_something(clean_narration(text or "")):
        return "empty narration"
    if not _BY_CAMERA_WEARER.match(text):
        return "not the camera wearer"
    if math.isnan(_timing(action).time_s):
        return "missing timestamp"
    return VIDEO_NOT_FOUND if found is not None and action.video_id not in found else None


def _kept(action: _Action, found: dict[str, str] | None) -> Kept:
    record, timing = action.record, _timing(action)
    narration = clean_narration(record["narration_text"])
    verb_class = _field(record, "structured_verb", (str, _NULL), action.where) or None
    noun_class = _noun_class(action)
    file = f"{action.video_id}.mp4"
    row = (
        action.narration_id,
        action.video_id,
        file if found is None else found[action.video_id],
        timing.time_s,
        narration,
        verb_class,
        noun_class,
        _verb_word(narration, verb_class),
        _noun_word(narration, noun_class),
    )
    return Kept(row, timing)


def _timing(action: _Action) -> Timing:
    told = _number(action.record, "narration_timestamp_sec")
    return take_time(told, *_segment(action), "narration inside segment")


def _segment(action: _Action) -> tuple[float, float]:
    """Start and end in seconds: of the action, else its frames', else those of its marked frames.

    NaN where the annotators gave none.
    """
    record = action.record
    start, end = _number(record, "start_sec"), _number(record, "end_sec")
    if start <= end:
        return start, end
    start, end = _number(record, "start_frame"), _number(record, "end_frame")
    if not start <= end:
        frames = record.get("frames")
        listed = [f for f in frames if isinstance(f, dict)] if isinstance(frames, list) else []
        marked = [n for f in listed if not math.isnan(n := _number(f, "video_frame"))]
        start, end = min(marked, default=math.nan), max(marked, default=math.nan)
    return start / action.fps, end / action.fps


def _number(record: dict[str, Any], key: str) -> float:
    """A finite number of 0 or more; NaN where there is none."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if 0 <= number < math.inf else math.nan


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
        raise _SchemaError(f"{where or 'the top level'} is {_kind(value)}, expected dict")
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
        raise _SchemaError(f"{path} is {_kind(value)}, expected {expected}")
    return value


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
