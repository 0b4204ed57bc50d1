"""ingest, split and clips on each source: rendered videos in the published folder layouts."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from eilev import paths, schema
from eilev.clips.store import ClipStore
from eilev.io import read_json
from eilev.parquet import read_table
from eilev.stages import clips, ingest, split
from tests.videos import read_numbers, write_video

PARAMS = Path(__file__).parents[2] / "params.yaml"
FPS, SECONDS = 10, 4
# One second of video around a narration, two frames of it: its first and its last.
WINDOW = {"window_s": 1.0, "num_frames": 2, "frame_size": 64, "processes": 1}
TIMES = (0.5, 1.5, 2.5, 3.5)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], **source: str | None) -> tuple[pd.DataFrame, str]:
    """Run the three stages; returns the narrations and what `ingest` printed."""
    params = yaml.safe_load(PARAMS.read_text())
    params["ingest"] = {"synonyms": None, "epic_time": "segment"} | source
    params["clips"] |= WINDOW
    params["split"] |= {"by": "video", "train_val_share": 0.6, "train_share": 0.5}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    ingest.main()
    printed = capsys.readouterr().out
    split.main()
    clips.main()
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    assert set(read_table(paths.SPLIT, schema.SPLIT)["narration_id"]) == set(
        narrations["narration_id"]
    )
    return narrations, printed


def render(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The muxer goes by the suffix in lower case.
    made = write_video(path.with_suffix(".mp4"), FPS * SECONDS, fps=FPS)
    return made.rename(path)


def assert_the_right_frames(narrations: pd.DataFrame) -> None:
    """Every narration's frames are those of the second around its time."""
    store = ClipStore(paths.CLIPS)
    assert store.ids == tuple(narrations["narration_id"])
    for name, time in zip(narrations["narration_id"], narrations["timestamp_s"], strict=True):
        first, last = read_numbers(store[name])
        assert first / FPS <= time <= (last + 1) / FPS
        assert last - first == FPS - 1


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def fho_action(time: float, text: str, verb: str, noun: str) -> dict[str, Any]:
    box = {"object_type": "object_of_change", "structured_noun": noun}
    return {
        "uid": None,
        "narration_text": text,
        "narration_timestamp_sec": time,
        "structured_verb": verb,
        "is_rejected": False,
        "is_valid_action": True,
        "frames": [{"frame_type": "pnr_frame", "boxes": [box]}],
    }


def test_ego4d(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{number:08d}-aaaa" for number in range(4)]
    for name in names[:3]:
        render(Path(f"v2/full_scale/{name}.mp4"))
    texts = ["#C C cuts an onion", "#C C opens a tap", "#C C peels onions", "#O A man waves"]
    classes = [("cut_(slice)", "onion"), ("open", "tap"), ("peel", "onion"), ("wave", "hand")]
    actions = [
        fho_action(time, text, *action)
        for time, text, action in zip(TIMES, texts, classes, strict=True)
    ]
    videos = [
        {"video_uid": name, "annotated_intervals": [{"narrated_actions": actions}]}
        for name in names
    ]
    Path("v2/annotations").mkdir()
    Path("v2/annotations/fho_main.json").write_text(json.dumps({"videos": videos}))
    narrations, printed = run(
        capsys, source="ego4d", annotations="v2/annotations/fho_main.json", videos="v2"
    )
    assert len(narrations) == 9
    assert_the_right_frames(narrations)
    summary = read_json(paths.INGEST_SUMMARY)
    assert (summary["rows"], summary["narrations"], summary["rejected"]) == (16, 9, 7)
    assert summary["rejects"] == {"not the camera wearer": 4, "video not found": 3}
    assert summary["missing_video_ids"] == [names[3]]
    assert "16 rows read: 9 kept, 7 rejected" in printed
    assert f"1 videos not found: {names[3]}" in printed


def test_epic_kitchens_in_both_layouts(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = {
        # As published: EPIC-55 by split and participant, the extension by participant.
        "P01_01": "epic-55/videos/train/P01/P01_01.MP4",
        "P02_03": "epic-55/videos/test/P02/P02_03.MP4",
        "P03_101": "epic-100/P03/videos/P03_101.MP4",
        # As the download script stores either.
        "P04_05": "EPIC-KITCHENS/P04/videos/P04_05.MP4",
    }
    for place in places.values():
        render(Path("data/epic") / place)
    phrases = [
        ("cut onion", "cut", 7, "onion", 16),
        ("put down knife and fork", "put-down", 1, "knife", 4),
        ("pour water into pan:frying", "pour-into", 9, "water", 27),
        ("turn-on tap", "turn-on", 6, "tap", 0),
    ]
    rows = [
        {
            "narration_id": f"{video}_{i}",
            "participant_id": video[:3],
            "video_id": video,
            # One narration of each video has no time but its segment.
            "narration_timestamp": "" if i == 2 else f"00:00:0{time}00",
            "start_timestamp": f"00:00:0{time - 0.5:.2f}",
            "stop_timestamp": f"00:00:0{time + 0.5:.2f}",
            "start_frame": 1,
            "stop_frame": 2,
            "narration": phrase,
            "verb": verb,
            "verb_class": verb_class,
            "noun": noun,
            "noun_class": noun_class,
            "all_nouns": str([noun]),
            "all_noun_classes": str([noun_class]),
        }
        for video in [*places, "P09_09"]
        for i, (time, (phrase, verb, verb_class, noun, noun_class)) in enumerate(
            zip(TIMES, phrases, strict=True)
        )
    ]
    folder = Path("epic-kitchens-100-annotations")
    write_rows(folder / "EPIC_100_train.csv", rows[:12])
    write_rows(folder / "EPIC_100_validation.csv", rows[12:])
    write_rows(folder / "EPIC_100_test_timestamps.csv", [{"narration_id": "x", "video_id": "y"}])
    write_rows(folder / "EPIC_100_verb_classes.csv", [{"id": 7, "key": "cut"}])
    untimed = [{"": i, "narration_id": f"{video}_2"} for i, video in enumerate(places)]
    write_rows(folder / "EPIC_100_train_missing_timestamp_narrations.csv", untimed)
    narrations, printed = run(
        capsys, source="epic_kitchens", annotations=str(folder), videos="data/epic"
    )
    assert dict(zip(narrations["video_id"], narrations["video_path"], strict=True)) == {
        name: f"data/epic/{place}" for name, place in places.items()
    }
    assert_the_right_frames(narrations)
    assert narrations["timestamp_s"].tolist() == list(TIMES) * len(places)
    assert narrations["narration"].tolist()[:4] == [
        "The camera wearer cuts the onion.",
        "The camera wearer puts down the knife and the fork.",
        "The camera wearer pours the water into the frying pan.",
        "The camera wearer turns on the tap.",
    ]
    assert narrations["verb_class"].tolist()[:2] == ["cut", "1"]
    assert "1 videos not found: P09_09" in printed


def test_a_table_of_ones_own(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["monday/cook.mp4", "tuesday.mp4", "wednesday.mkv"]
    for name in names:
        render(Path("videos") / name)
    sentences = ["I slice an onion.", "I chop onions", "I wash a mug.", "I fill the cup"]
    rows = [
        {"video": name, "time": time, "narration": sentence}
        for name in names
        for time, sentence in zip(TIMES, sentences, strict=True)
    ]
    extra = [
        {"video": names[1], "time": "00:01:39.000", "narration": "I leave."},
        {"video": names[1], "time": "-1", "narration": "I come."},
        {"video": "sunday.mp4", "time": "1", "narration": "I sleep."},
    ]
    write_rows(Path("mine/narrations.csv"), [*rows, *extra])
    Path("mine/synonyms.yaml").write_text("verbs: {cut: [slice, chop]}\nnouns: {cup: [mug]}\n")
    narrations, printed = run(
        capsys,
        source="table",
        annotations="mine",
        videos="videos",
        synonyms="mine/synonyms.yaml",
    )
    assert "15 rows read: 13 kept, 2 rejected" in printed
    assert read_json(paths.INGEST_SUMMARY)["rejects"] == {"negative time": 1, "video not found": 1}
    assert "  1 x negative time, first narrations.csv, line 15" in printed
    assert narrations["verb_class"].tolist()[:4] == ["cut", "cut", "wash", "fill"]
    assert narrations["noun_class"].tolist()[:4] == ["onion", "onion", "cup", "cup"]
    # Only the decoder knows how long a video is: the clip is missing, counted and explained.
    late = narrations["timestamp_s"] > SECONDS
    assert late.sum() == 1
    assert_the_right_frames(narrations[~late])
    index = read_table(paths.CLIPS / "index.parquet", schema.CLIPS_INDEX)
    (error,) = index["error"].dropna()
    assert error == "videos/tuesday.mp4: 99.0 s lies outside the video of 4.000 s"
    assert index.loc[index["error"].notna(), "narration_id"].tolist() == (
        narrations.loc[late, "narration_id"].tolist()
    )
