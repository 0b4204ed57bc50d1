from pathlib import Path

import pytest

from eilev import schema
from eilev.parquet import write_tables
from eilev.sources.annotations import Annotations, Kept, Reject, collect, format_summary
from eilev.sources.times import Timing

SPAN = "from the first to the last narration of each"


def row(name: str, video: str = "v", time: float = 0.0, text: str = "cuts") -> tuple[object, ...]:
    return (name, video, f"{video}.mp4", time, text, "cut", None, "cut", None)


def kept(name: str, video: str = "v", time: float = 0.0, text: str = "cuts") -> Kept:
    return Kept(row(name, video, time, text), Timing(time))


def test_every_record_is_a_narration_or_a_reject_and_ids_are_unique() -> None:
    # More than one batch of each.
    def convert(number: int) -> Kept | Reject:
        if number % 2:
            return Reject(str(number), "v", None, "odd")
        return kept(str(number % 50_000))

    result = collect(range(90_000), convert)
    assert result.num_rows == 90_000
    assert result.reject_counts() == {"odd": 45_000, "duplicate narration id": 20_000}
    assert list(result.narrations["narration_id"]) == [str(i) for i in range(0, 50_000, 2)]
    assert list(result.narrations.columns) == schema.NARRATIONS.names
    assert result.narrations["noun_class"].isna().all()


def test_a_lost_row_is_a_bug_that_shows() -> None:
    one = collect([kept("a")], lambda item: item)
    with pytest.raises(AssertionError):
        Annotations(one.kept, one.left_out, 2, {})


def test_the_summary_is_of_what_was_kept_and_reads_well() -> None:
    gone = [f"gone{i:02d}" for i in range(12)]
    items = [
        kept("a", "v", 10.0),
        Kept(row("b", "v", 3610.0), Timing(3610.0, told_outside_s=5.0)),
        Kept(row("c", "w", 5.0), Timing(5.0, told_outside_s=0.5, is_outside=True)),
        *(Reject(f"r{i}", video, "x", "video not found") for i, video in enumerate(gone)),
        Reject("e", "v", None, "missing time", "t.csv, line 4"),
        Reject("f", "v", None, "missing time", "t.csv, line 9"),
    ]
    summary = collect(items, lambda item: item).summary()
    assert summary["narrated_hours"] == 1.0
    assert (summary["rows"], summary["narrations"], summary["rejected"]) == (17, 3, 14)
    assert summary["told_outside_segment"] == 2
    assert summary["told_over_4_s_outside"] == summary["kept_outside_segment"] == 1
    assert summary["missing_videos"] == 12
    assert summary["missing_video_ids"] == gone
    assert format_summary(summary).splitlines() == [
        "17 rows read: 3 kept, 14 rejected",
        "  12 x video not found",
        "  2 x missing time, first t.csv, line 4",
        (
            "2 narrations were told outside of their action's segment, 1 of them by more than 4 s;"
            " 1 keep that time, the others take the segment's"
        ),
        f"12 videos not found: {', '.join(gone[:10])}, ... (2 more in summary.json)",
        f"2 videos, 1.0 hours {SPAN}; 1 verb classes, 0 noun classes, 0 actions",
        "  3 without a noun class",
        "  3 without a noun word",
    ]


def test_half_a_surrogate_pair_costs_its_own_row(tmp_path: Path) -> None:
    broken = (kept("b", text="cuts \ud83d"), kept("a", text="cuts \ud83d"), kept("\ud83d"))
    items = [kept("a"), *broken, kept("b"), Reject("\udc00", "v", "\ud800", "odd")]
    result = collect(items, lambda item: item)
    assert list(result.narrations["narration_id"]) == ["a", "b"]
    assert result.rejects["narration_id"].tolist() == ["b", "a", "\\ud83d", "\\udc00"]
    assert result.rejects["narration"].tolist() == [*["cuts \\ud83d"] * 2, "cuts", "\\ud800"]
    assert result.reject_counts() == {"unreadable text": 3, "odd": 1}
    write_tables([result.left_out], schema.REJECTS, tmp_path / "rejects.parquet")
