"""What every source of annotations offers, whatever its files look like."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from eilev import schema
from eilev.sources.rows import Row, Rows, UniqueIds
from eilev.sources.times import Timing

VIDEO_NOT_FOUND = "video not found"
DUPLICATE_ID = "duplicate narration id"

# Half of the paper's window: a clip this far from its action shows none of it.
_FAR_S = 4.0
# Between a reason, by which rejects are counted, and what is to be said of one of them.
_DETAIL = ": "

Record = TypeVar("Record")


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
    """What a source offers.

    Attributes:
        kept: rows of schema.NARRATIONS.
        left_out: rows of schema.REJECTS.
        num_rows: rows that were read; each is kept or left out.
        told: how many narrators spoke outside of the action's own segment, as in `summary`.
    """

    kept: pa.Table
    left_out: pa.Table
    num_rows: int
    told: Mapping[str, int]

    def __post_init__(self) -> None:
        assert self.num_rows == self.kept.num_rows + self.left_out.num_rows  # noqa: S101

    @property
    def narrations(self) -> pd.DataFrame:
        """What is kept, for those who want all of it in memory."""
        return self.kept.to_pandas()

    @property
    def rejects(self) -> pd.DataFrame:
        """What is left out, likewise."""
        return self.left_out.to_pandas()

    def reject_counts(self) -> dict[str, int]:
        """Reason to the number of actions left out for it, most frequent first."""
        counts = Counter(reason for reason, _, _ in self._reasons())
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def reject_examples(self) -> dict[str, str]:
        """What is to be said of the first reject of each reason; without those that say all."""
        examples: dict[str, str] = {}
        for reason, detail, _ in self._reasons():
            examples.setdefault(reason, detail)
        return {reason: detail for reason, detail in examples.items() if detail}

    def missing_videos(self) -> list[str]:
        """Videos without a file, of narrations that were left out for nothing else."""
        return sorted({video for reason, _, video in self._reasons() if reason == VIDEO_NOT_FOUND})

    def _reasons(self) -> Iterator[tuple[str, str, str]]:
        """Reason, detail and video of every reject."""
        for batch in self.left_out.to_batches():
            texts, videos = batch["reason"].to_pylist(), batch["video_id"].to_pylist()
            for text, video in zip(texts, videos, strict=True):
                reason, _, detail = str(text).partition(_DETAIL)
                yield reason, detail, str(video)

    def summary(self) -> dict[str, Any]:
        """Counts for people and for the metrics.

        `narrated_hours` is the time from a video's first kept narration to its last, summed.
        Narrations are told outside of their segment where the narrator's own time lies there, and
        kept outside if it was taken all the same.
        """
        table, missing = self.kept, self.missing_videos()
        return {
            "rows": self.num_rows,
            "narrations": table.num_rows,
            "rejected": self.left_out.num_rows,
            "rejects": self.reject_counts(),
            "reject_examples": self.reject_examples(),
            **self.told,
            "videos": _num_different(table, "video_id"),
            "missing_videos": len(missing),
            "missing_video_ids": missing,
            "narrated_hours": _narrated_hours(table),
            "verb_classes": _num_different(table, "verb_class"),
            "noun_classes": _num_different(table, "noun_class"),
            "actions": _num_different(table, "verb_class", "noun_class"),
            "missing_noun_class": table["noun_class"].null_count,
            "missing_verb_word": table["verb_word"].null_count,
            "missing_noun_word": table["noun_word"].null_count,
        }


def collect(records: Iterable[Record], convert: Callable[[Record], Kept | Reject]) -> Annotations:
    """Turn every record into a narration or a reject.

    A reject is also what has text that is none (half of a surrogate pair, which JSON allows), or an
    id that came before. Memory hardly grows with the number of records, whatever one weighs.

    Raises:
        OSError: the disk of the folder for temporary files is full.
    """
    num_rows = 0
    told = _told(Timing(0.0))
    with Rows(schema.NARRATIONS) as kept, Rows(schema.REJECTS) as rejected, UniqueIds() as ids:
        for record in records:
            num_rows += 1
            item = _checked(convert(record), ids)
            if isinstance(item, Reject):
                reason = f"{item.reason}{_DETAIL}{item.detail}" if item.detail else item.reason
                rejected.add((item.narration_id, item.video_id, item.narration, reason))
                continue
            kept.add(item.row)
            if item.timing.told_outside_s:
                told.update(_told(item.timing))
        return Annotations(kept.table(), rejected.table(), num_rows, told)


def _told(timing: Timing) -> Counter[str]:
    outside_s = timing.told_outside_s
    return Counter(
        told_outside_segment=int(outside_s > 0),
        told_over_4_s_outside=int(outside_s > _FAR_S),
        kept_outside_segment=int(timing.is_outside),
    )


def _checked(item: Kept | Reject, ids: UniqueIds) -> Kept | Reject:
    if isinstance(item, Reject):
        text = (item.narration_id, item.video_id, item.narration, item.reason, item.detail)
        return Reject(*(None if part is None else _text(part) for part in text))  # type: ignore[arg-type]
    narration_id, video_id, narration = item.row[0], item.row[1], item.row[4]
    broken = next((part for part in item.row if isinstance(part, str) and _text(part) != part), "")
    if broken:
        named = (_text(narration_id), _text(video_id), _text(narration))
        return Reject(*named, "unreadable text", repr(broken))
    if not ids.add(narration_id):
        return Reject(narration_id, video_id, narration, DUPLICATE_ID)
    return item


def _text(text: str) -> str:
    """The text as UTF-8 can hold it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _num_different(table: pa.Table, *columns: str) -> int:
    """Different values of columns, empty ones left out."""
    groups = table.group_by(list(columns), use_threads=False).aggregate([])
    return groups.drop_null().num_rows


def _narrated_hours(table: pa.Table) -> float:
    groups = table.group_by("video_id", use_threads=False)
    videos = groups.aggregate([("timestamp_s", "min"), ("timestamp_s", "max")])
    hours = videos.sort_by("video_id").to_pandas()
    return round(float((hours["timestamp_s_max"] - hours["timestamp_s_min"]).sum()) / 3600, 3)


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
