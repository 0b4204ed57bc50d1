import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eilev.clips.decoder import Limits, Video, VideoError, read_clip
from eilev.clips.frame_choice import window_indices
from tests.videos import cut_off, overwrite, read_numbers, turn_right, write_audio, write_video

SIZE = 32
# Frames at 10 to 89 ms from one another, the first one 3 s after the file's zero.
IRREGULAR_MS = (3000 + np.cumsum(np.random.default_rng(1).integers(10, 90, 100))).tolist()

# Everything that decord must read rightly, with random access.
READABLE: dict[str, dict[str, Any]] = {
    "b_frames.mp4": {"options": {"bf": "3", "g": "12"}},
    "one_long_group.mp4": {"options": {"g": "250"}},
    "odd_size.mp4": {"size": (71, 37), "pixels": "yuv444p", "options": {"g": "12"}},
    "tiny.mp4": {"size": (16, 16), "options": {"g": "12"}},
    "ten_bits.mp4": {"pixels": "yuv420p10le", "options": {"g": "12"}},
    "variable_rate.mp4": {"times_ms": IRREGULAR_MS, "options": {"g": "12"}},
    "fragmented.mp4": {"muxer": {"movflags": "frag_keyframe+empty_moov"}, "options": {"g": "12"}},
    "header_first.mp4": {"muxer": {"movflags": "faststart"}, "options": {"g": "12"}},
    "matroska.mkv": {"options": {"g": "12"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12"}},
    "motion_jpeg.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "low_rate.mp4": {"fps": 8},
}
# Open groups of pictures: reading in order is right, seeking is not.
OPEN_GROUPS: dict[str, dict[str, Any]] = {
    "open.mp4": {"options": {"x264-params": "open-gop=1:keyint=15:bframes=5"}},
    "hevc.mp4": {"codec": "libx265", "options": {"g": "20", "x265-params": "log-level=none"}},
}


@pytest.mark.parametrize("name", READABLE)
def test_the_right_frames_are_read(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, 100, **READABLE[name])
    video = Video(path, SIZE)
    assert video.info.num_frames == 100
    rng = np.random.default_rng(0)
    for _ in range(10):
        indices = np.sort(rng.integers(0, 100, 8))
        frames = video.frames(indices)
        assert frames.shape == (8, SIZE, SIZE, 3)
        assert frames.dtype == np.uint8
        assert read_numbers(frames) == indices.tolist()
    expected = [0, 14, 28, 42, 56, 70, 84, 99]
    assert read_numbers(read_clip(path, 8, SIZE)) == expected
    assert read_numbers(read_clip(path.read_bytes(), 8, SIZE)) == expected


@pytest.mark.parametrize("name", OPEN_GROUPS)
def test_inexact_seeking_is_refused_and_whole_clips_are_read(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, 100, **OPEN_GROUPS[name])
    with pytest.raises(VideoError, match=rf"{name}: a seek gives other frames .* re-encode"):
        Video(path, SIZE)
    assert read_numbers(read_clip(path, 8, SIZE)) == [0, 14, 28, 42, 56, 70, 84, 99]


def test_a_turned_video_is_turned(tmp_path: Path) -> None:
    upright = write_video(tmp_path / "upright.mp4", 20, size=(96, 48))
    turned = turn_right(tmp_path / "turned.mp4", upright)
    expected = np.rot90(read_clip(upright, 8, SIZE), -1, axes=(1, 2))
    np.testing.assert_array_equal(read_clip(turned, 8, SIZE), expected)


@pytest.mark.parametrize("num_frames", [1, 2])
def test_very_short_videos(num_frames: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "short.mp4", num_frames)
    video = Video(path, SIZE)
    assert (video.info.num_frames, video.info.fps) == (num_frames, 30.0)
    assert video.info.duration_s == pytest.approx(num_frames / 30)
    indices = window_indices(0.0, 8.0, 4, video.info)
    assert read_numbers(video.frames(indices)) == [0, 0, 0, num_frames - 1]
    assert read_numbers(read_clip(path, 4, SIZE)) == [0, 0, 0, num_frames - 1]


def test_info_is_in_time_from_the_first_frame(tmp_path: Path) -> None:
    video = Video(write_video(tmp_path / "v.mp4", 100, times_ms=IRREGULAR_MS), SIZE)
    times = (np.array(IRREGULAR_MS) - IRREGULAR_MS[0]) / 1000
    np.testing.assert_allclose(video.info.frame_times_s, times, atol=1e-3)
    assert video.info.duration_s == pytest.approx(times[-1] + 1 / video.info.fps, abs=0.1)


def unreadable(kind: str, folder: Path) -> Path:
    path = folder / "bad.mp4"
    whole = write_video(folder / "whole.mp4", 60, muxer={"movflags": "faststart"})
    if kind == "cut off, header first":
        cut_off(path, whole)
    elif kind == "cut off, header last":
        cut_off(path, write_video(folder / "last.mp4", 60), 0.3)
    elif kind == "audio":
        write_audio(path)
    elif kind == "codec":
        # In a thread of its own: root's calling thread gets real-time priority for good.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(write_video, path, 8, codec="libsvtav1").result()
    elif kind == "overwritten":
        overwrite(path, whole, 0.5, 1.0)
    elif kind != "missing":
        path.write_bytes({"empty": b"", "playlist": b"#EXTM3U\n#EXTINF:1,\n/etc/hosts\n"}[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("cut off, header first", "damaged or cut off"),
        ("cut off, header last", "damaged or cut off"),
        ("overwritten", "damaged or cut off"),
        ("audio", "no video stream"),
        ("codec", "no video stream"),
        ("empty", "not an MP4"),
        ("playlist", "not an MP4"),
        ("missing", "no such file"),
    ],
)
def test_an_unreadable_video_is_named_with_the_reason(
    kind: str, reason: str, tmp_path: Path
) -> None:
    path = unreadable(kind, tmp_path)
    with pytest.raises(VideoError, match=rf"{path}: {reason}"):
        Video(path, SIZE).frames(np.arange(0, 60, 8))
    with pytest.raises(VideoError, match=rf"{path}: {reason}"):
        read_clip(path, 8, SIZE)
    if path.exists():
        with pytest.raises(VideoError, match=rf"^the video: {reason}") as error:
            read_clip(path.read_bytes(), 8, SIZE)
        assert "eilev-" not in str(error.value)
        assert ".cc:" not in str(error.value)


def test_frames_before_a_damage_can_still_be_read_after_an_error(tmp_path: Path) -> None:
    # Long enough that the decoder thread, which runs ahead, does not always meet the damage first.
    options = {"g": "12", "preset": "ultrafast"}
    whole = write_video(
        tmp_path / "whole.mp4", 6000, options=options, muxer={"movflags": "faststart"}
    )
    video = Video(overwrite(tmp_path / "bad.mp4", whole, 0.9, 1.0), SIZE)
    with pytest.raises(VideoError, match=r"bad\.mp4: damaged"):
        video.frames(np.array([5950, 5960, 5970]))
    assert read_numbers(video.frames(np.array([3, 30, 60]))) == [3, 30, 60]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_duration_s=1.0), "2 seconds, at most 1 are allowed"),
        (Limits(max_frames=59), "60 frames, at most 59 are allowed"),
        (Limits(max_pixels=3000), "3072 pixels in a frame, at most 3000 are allowed"),
    ],
)
def test_limits(limits: Limits, reason: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 60)
    with pytest.raises(VideoError, match=reason):
        read_clip(path, 8, SIZE, limits)


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def test_reading_here_and_there_does_not_fill_the_memory(tmp_path: Path) -> None:
    # All 1,200 frames at 448 x 448 would take 720 MB; the thread needs a second for 60 of these.
    path = write_video(tmp_path / "v.mp4", 1200, options={"preset": "ultrafast"})
    video = Video(path, 448)
    video.frames(np.array([0, 5]))
    before = resident_mb()
    assert read_numbers(video.frames(np.array([100, 105]))) == [100, 105]
    time.sleep(1.5)
    assert resident_mb() - before < 30
    assert read_numbers(video.frames(np.array([99, 600]))) == [99, 600]
