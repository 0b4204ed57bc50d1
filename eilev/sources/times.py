"""When something happens in a video: times as people write them, and which of two to believe."""

import datetime
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

UNREADABLE_TIME = "unreadable time"
# What `read_time` reads, for people whose time it can't.
TIME_FORMS = "write seconds (62.5, 62,5 or 62 s), M:SS, H:MM:SS or HH:MM:SS,mmm"

_CLOCK = re.compile(
    r"(?:(?P<hours>\d+):(?P<minutes>[0-5]?\d)|(?P<all_minutes>\d+))"
    r":(?P<seconds>[0-5]?\d(?:[.,]\d+)?)",
    re.ASCII,
)
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+", re.ASCII)
# 1,234 s or 1234 s?
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2},\d{3}", re.ASCII)

# Which of a narration's two times counts: the middle of the segment that its action was given, the
# narrator's own time, or the narrator's unless it lies outside of the segment.
Rule = Literal["segment", "narration", "narration inside segment"]


@dataclass(frozen=True)
class Timing:
    """The time of a narration in seconds, NaN without one.

    Attributes:
        told_outside_s: by how much the narrator's own time misses the action's segment.
        is_outside: whether `time_s` does.
    """

    time_s: float
    told_outside_s: float = 0.0
    is_outside: bool = False


def take_time(told_s: float, start_s: float, stop_s: float, rule: Rule) -> Timing:
    """Choose between a narrator's time and the middle of a segment; each may be NaN.

    A segment that ends before it starts is none.

    >>> take_time(310.0, 20.0, 21.0, "segment")
    Timing(time_s=20.5, told_outside_s=289.0, is_outside=False)
    """
    if not start_s <= stop_s:
        return Timing(told_s)
    middle_s = (start_s + stop_s) / 2
    if math.isnan(told_s):
        return Timing(middle_s)
    outside_s = max(start_s - told_s, told_s - stop_s, 0.0)
    if rule == "segment" or (outside_s and rule != "narration"):
        return Timing(middle_s, outside_s)
    return Timing(told_s, outside_s, outside_s > 0)


def read_time(value: Any) -> float | str:
    """Seconds from the start of the video, or why there are none.

    >>> [read_time(text) for text in ("62.5", "62,5", "1:02", "00:01:02,500", "1m2s", "soon")]
    [62.5, 62.5, 62.0, 62.5, 62.0, 'unreadable time']
    """
    if isinstance(value, bool):
        return UNREADABLE_TIME
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    text = value.isoformat() if isinstance(value, datetime.time) else str(value).strip()
    if value is None or not text:
        return "missing time"
    try:
        seconds = _seconds(text)
    except ValueError:
        return UNREADABLE_TIME
    if not math.isfinite(seconds):
        return "missing time" if isinstance(value, float) and math.isnan(value) else UNREADABLE_TIME
    return "negative time" if seconds < 0 else seconds


def _seconds(text: str) -> float:
    clock = _CLOCK.fullmatch(text)
    if clock:
        minutes = int(clock["hours"] or 0) * 60 + int(clock["minutes"] or clock["all_minutes"])
        return minutes * 60 + float(clock["seconds"].replace(",", "."))
    if _DECIMAL_COMMA.fullmatch(text) and not _THOUSANDS.fullmatch(text):
        text = text.replace(",", ".")
    # With a unit, "1m2s". pandas takes a number without one for nanoseconds.
    return (
        pd.Timedelta(text).total_seconds() if re.fullmatch(r".*\d\s*[a-z]+", text) else float(text)
    )
