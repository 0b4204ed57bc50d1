"""What every source of annotations offers, whatever its files look like."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from eilev import schema

VIDEO_NOT_FOUND = "video not found"
DUPLICATE_ID = "duplicate narration id"

# A row of schema.NARRATIONS.
Row = tuple[Any, ...]
Record = TypeVar("Record")

# Rows that are held as Python objects before they become columns.
_ROWS_PER_BATCH = 20_000


@dataclass(frozen=True)
class Reject:
    """A row that is left out, and why."""

    narration_id: str
    video_id: str
    narration: str | None
    reason: str


@dataclass(frozen=True)
class Annotations:
    """What a source offers: rows of schema.NARRATIONS, and of schema.REJECTS.

    Attributes:
        num_rows: rows that were read; each is a narration or a reject.
    """

    narrations: pd.DataFrame
    rejects: pd.DataFrame
    num_rows: int

    def __post_init__(self) -> None:
        assert self.num_rows == len(self.narrations) + len(self.rejects)  # noqa: S101

    def reject_counts(self) -> dict[str, int]:
        """Reason to the number of actions left out for it, most frequent first."""
        counts = self.rejects["reason"].value_counts()
        pairs = ((str(reason), int(count)) for reason, count in counts.items())
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def missing_videos(self) -> list[str]:
        """Videos without a file, of narrations that were left out for nothing else."""
        missing = self.rejects["reason"] == VIDEO_NOT_FOUND
        return sorted(map(str, self.rejects.loc[missing, "video_id"].unique()))

    def summary(self) -> dict[str, Any]:
        """Counts for people and for the metrics.

        `narrated_hours` is the time from a video's first kept narration to its last, summed.
        """
        table, missing = self.narrations, self.missing_videos()
        return {
            "rows": self.num_rows,
            "narrations": len(table),
            "rejected": len(self.rejects),
            "rejects": self.reject_counts(),
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


def collect(records: Iterable[Record], convert: Callable[[Record], Row | Reject]) -> Annotations:
    """Turn every record into a narration or a reject; one with an id that came before is a reject.

    Memory stays near the size of the finished columns, whatever a record weighs.
    """
    kept, rejected = _Columns(schema.NARRATIONS), _Columns(schema.REJECTS)
    seen: set[str] = set()
    num_rows = 0
    for record in records:
        num_rows += 1
        item = convert(record)
        if not isinstance(item, Reject) and item[0] in seen:
            item = Reject(item[0], item[1], item[4], DUPLICATE_ID)
        if isinstance(item, Reject):
            rejected.add((item.narration_id, item.video_id, item.narration, item.reason))
        else:
            seen.add(item[0])
            kept.add(item)
    return Annotations(kept.frame(), rejected.frame(), num_rows)


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
    lines += [f"  {count} x {reason}" for reason, count in summary["rejects"].items()]
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
