import pandas as pd
import pytest

from eilev import schema
from eilev.sources.annotations import Annotations, Reject, collect, format_summary

SPAN = "from the first to the last narration of each"


def row(name: str, video: str = "v", time: float = 0.0) -> tuple[object, ...]:
    return (name, video, f"{video}.mp4", time, "The camera wearer cuts.", "cut", None, "cut", None)


def test_every_record_is_a_narration_or_a_reject_and_ids_are_unique() -> None:
    # More than one batch of each.
    def convert(number: int) -> tuple[object, ...] | Reject:
        if number % 2:
            return Reject(str(number), "v", None, "odd")
        return row(str(number % 50_000))

    result = collect(range(90_000), convert)
    assert result.num_rows == 90_000
    assert result.reject_counts() == {"odd": 45_000, "duplicate narration id": 20_000}
    assert list(result.narrations["narration_id"]) == [str(i) for i in range(0, 50_000, 2)]
    assert list(result.narrations.columns) == schema.NARRATIONS.names
    assert result.narrations["noun_class"].isna().all()


def test_a_lost_row_is_a_bug_that_shows() -> None:
    empty = pd.DataFrame([], columns=schema.REJECTS.names)
    with pytest.raises(AssertionError):
        Annotations(pd.DataFrame([row("a")], columns=schema.NARRATIONS.names), empty, 2)


def test_the_summary_is_of_what_was_kept_and_reads_well() -> None:
    gone = [f"gone{i:02d}" for i in range(12)]
    items = [
        row("a", "v", 10.0),
        row("b", "v", 3610.0),
        row("c", "w", 5.0),
        *(Reject(f"r{i}", video, "x", "video not found") for i, video in enumerate(gone)),
        Reject("e", "v", None, "empty narration"),
    ]
    summary = collect(items, lambda item: item).summary()
    assert summary["narrated_hours"] == 1.0
    assert (summary["rows"], summary["narrations"], summary["rejected"]) == (16, 3, 13)
    assert summary["missing_videos"] == 12
    assert summary["missing_video_ids"] == gone
    assert format_summary(summary).splitlines() == [
        "16 rows read: 3 kept, 13 rejected",
        "  12 x video not found",
        "  1 x empty narration",
        f"12 videos not found: {', '.join(gone[:10])}, ... (2 more in summary.json)",
        f"2 videos, 1.0 hours {SPAN}; 1 verb classes, 0 noun classes, 0 actions",
        "  3 without a noun class",
        "  3 without a noun word",
    ]
