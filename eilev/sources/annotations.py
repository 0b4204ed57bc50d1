"""What every source of annotations offers, whatever its files look like."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from eilev import schema
from eilev.sources.times import Timing

VIDEO_NOT_FOUND = "video not found"
DUPLICATE_ID = "duplicate narration id"

# Half of the paper's window: a clip this far from its action shows none of it.
_FAR_S = 4.0
# Between a reason, by which rejects are counted, and what is to be said of one of them.
_DETAIL = ": "

# A row of schema.NARRATIONS.
Row = tuple[Any, ...]
Record = TypeVar("Record")

# Rows that are held as Python objects before they become columns.
_ROWS_PER_BATCH = 20_000


@dataclass(frozen=True)
class Kept:
    """A row that is kept (schema.NARRATIONS), and how its time was found."""

    row: Row
    timing: Timing


@dataclass(frozen=True)
class Reject:
    """A row that is left out, and why.

    Attributes:
        reason: what it has in common with others.
        detail: where it stands, and the value or key that is wrong.
    """

    narration_id: str
    video_id: str
    narration: str | None
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Annotations:
    """What a source offers: rows of schema.NARRATIONS, and of schema.REJECTS.

    Attributes:
        num_rows: rows that were read; each is a narration or a reject.
        timings: of the narrations whose narrator spoke outside of the action's own segment.
    """

    narrations: pd.DataFrame
    rejects: pd.DataFrame
    num_rows: int
    timings: tuple[Timing, ...] = ()

    def __post_init__(self) -> None:
        assert self.num_rows == len(self.narrations) + len(self.rejects)  # noqa: S101

    def reject_counts(self) -> dict[str, int]:
        """Reason to the number of actions left out for it, most frequent first."""
        counts = self._reasons().value_counts()
        pairs = ((str(reason), int(count)) for reason, count in counts.items())
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def reject_examples(self) -> dict[str, str]:
        """What is to be said of the first reject of each reason; without those that say all."""
        reasons = self.rejects["reason"][~self._reasons().duplicated()]
        parts = (str(reason).partition(_DETAIL) for reason in reasons)
        return {reason: detail for reason, _, detail in parts if detail}

    def _reasons(self) -> pd.Series:
        return self.rejects["reason"].astype(str).str.split(_DETAIL, n=1).str[0]

    def missing_videos(self) -> list[str]:
        """Videos without a file, of narrations that were left out for nothing else."""
        missing = self._reasons() == VIDEO_NOT_FOUND
        return sorted(map(str, self.rejects.loc[missing, "video_id"].unique()))

    def summary(self) -> dict[str, Any]:
        """Counts for people and for the metrics.

        `narrated_hours` is the time from a video's first kept narration to its last, summed.
        Narrations are told outside of their segment where the narrator's own time lies there, and
        kept outside if it was taken all the same.
        """
        table, missing = self.narrations, self.missing_videos()
        return {
            "rows": self.num_rows,
            "narrations": len(table),
            "rejected": len(self.rejects),
            "rejects": self.reject_counts(),
            "reject_examples": self.reject_examples(),
            "told_outside_segment": len(self.timings),
            "told_over_4_s_outside": sum(t.told_outside_s > _FAR_S for t in self.timings),
            "kept_outside_segment": sum(t.is_outside for t in self.timings),
            "videos": int(table["video_id"].nunique()),
            "missing_videos": len(missing),
            "missing_video_ids": missing,
            "narrated_hours": _narrated_hours(table),
            "verb_classes": int(table["verb_class"].nunique()),
            "noun_classes": int(table["noun_class"].nunique()),
            "actions": len(table[["verb_class", "noun_class"]].dropna().drop_duplicates()),
            "missing_noun_class": int(table["noun_class"].isna().sum()),
            "missing_verb_word": int(table["verb_word"].isna().sum()),
            "missing_noun_word": int(table["noun_word"].isna().sum()),
        }


def collect(records: Iterable[Record], convert: Callable[[Record], Kept | Reject]) -> Annotations:
    """Turn every record into a narration or a reject.

    A reject is also what has an id that came before, or text that is none (half of a surrogate
    pair, which JSON allows). Memory stays near the size of the finished columns, whatever a record
    weighs.
    """
    kept, rejected = _Columns(schema.NARRATIONS), _Columns(schema.REJECTS)
    seen: set[str] = set()
    timings: list[Timing] = []
    num_rows = 0
    for record in records:
        num_rows += 1
        item = _checked(convert(record), seen)
        if isinstance(item, Reject):
            reason = f"{item.reason}{_DETAIL}{item.detail}" if item.detail else item.reason
            rejected.add((item.narration_id, item.video_id, item.narration, reason))
            continue
        seen.add(item.row[0])
        kept.add(item.row)
        if item.timing.told_outside_s:
            timings.append(item.timing)
    return Annotations(kept.frame(), rejected.frame(), num_rows, tuple(timings))


def _checked(item: Kept | Reject, seen: set[str]) -> Kept | Reject:
    if isinstance(item, Reject):
        text = (item.narration_id, item.video_id, item.narration, item.reason, item.detail)
        return Reject(*(None if part is None else _text(part) for part in text))  # type: ignore[arg-type]
    narration_id, video_id, narration = item.row[0], item.row[1], item.row[4]
    if narration_id in seen:
        return Reject(narration_id, video_id, narration, DUPLICATE_ID)
    broken = next((part for part in item.row if isinstance(part, str) and _text(part) != part), "")
    if broken:
        named = (_text(narration_id), _text(video_id), _text(narration))
        return Reject(*named, "unreadable text", repr(broken))
    return item


def _text(text: str) -> str:
    """The text as UTF-8 can hold it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class _Columns:
    """Rows of a table, kept as Arrow columns."""

    def __init__(self, columns: pa.Schema) -> None:
        self._schema = columns
        self._tables = [columns.empty_table()]
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) == _ROWS_PER_BATCH:
            self._flush()

    def frame(self) -> pd.DataFrame:
        self._flush()
        table = pa.concat_tables(self._tables)
        self._tables.clear()
        # Columns are freed as they are converted.
        return table.to_pandas(split_blocks=True, self_destruct=True)

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [
                pa.array(values, type=field.type)
                for values, field in zip(columns, self._schema, strict=True)
            ]
            self._tables.append(pa.table(arrays, schema=self._schema))
            self._rows.clear()


def _narrated_hours(table: pd.DataFrame) -> float:
    times = table.groupby("video_id")["timestamp_s"]
    return round(float((times.max() - times.min()).sum()) / 3600, 3)


def format_summary(summary: dict[str, Any]) -> str:
    """The counts of `Annotations.summary` in a few lines; at most ten missing videos are named."""
    lines = [
        f"{summary['rows']} rows read: {summary['narrations']} kept, {summary['rejected']} rejected"
    ]
    for reason, count in summary["rejects"].items():
        example = summary["reject_examples"].get(reason)
        lines.append(f"  {count} x {reason}" + (f", first {example}" if example else ""))
    if summary["told_outside_segment"]:
        lines.append(
            f"{summary['told_outside_segment']} narrations were told outside of their action's"
            f" segment, {summary['told_over_4_s_outside']} of them by more than {_FAR_S:g} s;"
            f" {summary['kept_outside_segment']} keep that time, the others take the segment's"
        )
    if summary["missing_videos"]:
        names = summary["missing_video_ids"]
        more = f", ... ({len(names) - 10} more in summary.json)" if len(names) > 10 else ""
        lines.append(f"{len(names)} videos not found: {', '.join(names[:10])}{more}")
    lines.append(
        f"{summary['videos']} videos, {summary['narrated_hours']} hours from the first to the last"
        f" narration of each; {summary['verb_classes']} verb classes,"
        f" {summary['noun_classes']} noun classes, {summary['actions']} actions"
    )
    without = {
        part: summary[f"missing_{part}"] for part in ("noun_class", "verb_word", "noun_word")
    }
    lines += [
        f"  {count} without a {part.replace('_', ' ')}" for part, count in without.items() if count
    ]
    return "\n".join(lines)
