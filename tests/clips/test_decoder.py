"""Every frame is held against what ffmpeg's own program shows of the same file."""

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from eilev.clips.decoder import Video, read_clip
from eilev.clips.limits import Limits, VideoError
from tests.clips.matrix import DAMAGED, DERIVED, IRREGULAR_MS, WRITTEN, make
from tests.players import shown_at, shown_frames, shown_numbers
from tests.videos import overwrite, read_numbers, turn, write_video

SIZE = 64
CASES = Path(__file__).parents[3] / "shared/fixtures/cases"
SHOWN = [*WRITTEN, *DERIVED]
# What decord would read wrongly or not at all; the others it reads, where clips lie apart.
FOR_PYAV = [
    "open_groups.mp4",
    "hevc_open.mp4",
    "intra_refresh.mp4",
    "mpeg4.avi",
    "mpeg4_b.avi",
    "mpeg4_b.mp4",
    "h264_b.avi",
    "live.webm",
    "av1.mp4",
    "h264.ts",
    "mpeg2.ts",
    "edit_list.mp4",
    "edit_list_long_group.mov",
    "edit_list_hevc.mp4",
    "late.ts",
    "stamped.mts",
    "turned.mp4",
    "upside_down.mp4",
    "mirrored.mp4",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


def made(name: str, folder: Path) -> Path:
    # In a thread of its own: SVT-AV1 gives root's calling thread real-time priority for good.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make, name, folder).result()


def cut(video: Video, times_s: list[float], window_s: float) -> list[list[int] | VideoError]:
    """The numbers of four frames of each clip, or why there are none."""
    clips: dict[int, list[int] | VideoError] = {}
    for place, clip in video.clips(times_s, window_s, 4, lambda frame: frame):
        failed = isinstance(clip, VideoError)
        clips[place] = clip if failed else read_numbers(np.stack(clip))
    return [clips[place] for place in range(len(times_s))]


def window(times_s: np.ndarray, end_s: float, time_s: float, window_s: float) -> list[int]:
    """Places of four frames of a window, told in another way than by the code."""
    start = max(min(time_s - window_s / 2, end_s - window_s), times_s[0]) - 1e-3
    inside = np.flatnonzero((times_s >= start) & (times_s < start + window_s))
    if not len(inside):
        inside = np.flatnonzero(times_s < start)[-1:]
    return [int(inside[int(place * (len(inside) - 1) / 3)]) for place in range(4)]


@pytest.mark.parametrize("name", SHOWN)
def test_the_frames_are_those_that_a_player_shows(name: str, folder: Path) -> None:
    path = made(name, folder)
    shown = shown_numbers(path)
    video = Video(path, SIZE)
    info = video.info
    assert info.num_frames == len(shown)
    ((_, frames),) = video.clips([None], 0.0, len(shown), lambda frame: frame)
    assert not isinstance(frames, VideoError)
    assert read_numbers(np.stack(frames)) == shown
    assert video.decoder == ("pyav" if name in FOR_PYAV else "decord")
    rng = np.random.default_rng(0)
    for _ in range(4):
        # One clip, clips that lie apart or don't, and many that overlap: other decoders and seeks.
        for count, length in ((1, 0.4), (3, 0.1), (12, 0.7)):
            times = rng.uniform(info.start_s, info.end_s, count).tolist()
            expected = [
                [shown[place] for place in window(info.frame_times_s, info.end_s, time_s, length)]
                for time_s in times
            ]
            assert cut(video, times, length) == expected
    assert read_numbers(read_clip(path.read_bytes(), 3, SIZE)) == [
        shown[place] for place in (0, (len(shown) - 1) // 2, len(shown) - 1)
    ]


@pytest.mark.parametrize("name", SHOWN)
def test_a_file_that_is_kept_open_shows_the_same(name: str, folder: Path) -> None:
    path = made(name, folder)
    shown = shown_numbers(path)
    with Video(path, SIZE, keep=True) as video:
        info = video.info
        assert info.num_frames == len(shown)
        # Forwards and back, from key frames and from the start, again after the end.
        for time_s in np.random.default_rng(0).uniform(info.start_s, info.end_s, 8).tolist():
            places = window(info.frame_times_s, info.end_s, time_s, 0.4)
            assert cut(video, [time_s], 0.4) == [[shown[place] for place in places]]
        assert read_numbers(video.clip(None, 0.0, len(shown))) == shown
        assert video.decoder == "pyav"


def test_a_file_is_closed_with_its_video(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("b_frames.mp4", "mpeg4.avi", "vp9.webm"):
        with Video(made(name, folder), SIZE, keep=True) as video:
            video.clip(None, 0.0, 4)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_both_decoders_give_the_same_pixels(folder: Path) -> None:
    for name in ("b_frames.mp4", "ten_bits.mp4", "odd_size.mp4", "vp9.webm"):
        video = Video(made(name, folder), SIZE)
        (apart,) = (clip for _, clip in video.clips([1.0], 0.5, 4, np.copy))
        assert video.decoder == "decord"
        together = [clip for _, clip in video.clips([1.0, 1.0], 0.5, 4, np.copy)]
        assert video.decoder == "pyav"
        with Video(made(name, folder), SIZE, keep=True) as kept:
            (alone,) = (clip for _, clip in kept.clips([1.0], 0.5, 4, np.copy))
        for clip in [*together, alone]:
            np.testing.assert_array_equal(clip, apart)


@pytest.mark.parametrize("name", ["turned.mp4", "upside_down.mp4", "mirrored.mp4"])
def test_a_picture_is_turned_as_a_player_turns_it(name: str, folder: Path) -> None:
    path = made(name, folder)
    ours = Video(path, SIZE).clip(None, 0.0, 100)
    upright = Video(made("b_frames.mp4", folder), SIZE).clip(None, 0.0, 100)
    # Numbers are read from blocks: where these lie shows how the picture is turned.
    np.testing.assert_allclose(ours, shown_frames(path, SIZE), atol=40)
    assert not np.array_equal(ours, upright)


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts", "edit_list.mp4"])
def test_times_are_those_of_the_container(name: str, folder: Path) -> None:
    path = made(name, folder)
    video = Video(path, SIZE)
    late = 0.5 if name.startswith("late") else 0.0
    assert video.info.start_s == pytest.approx(late, abs=0.03)
    # ffmpeg seeks inexactly in transport streams.
    for time_s in () if path.suffix == ".ts" else (0.81, 1.24, 1.73):
        (first, *_) = cut(video, [time_s + 0.25], 0.5)[0]
        assert first == shown_at(path, time_s)
    with pytest.raises(VideoError, match="lies outside the video of"):
        video.clip(video.info.end_s + 1.0, 1.0, 4)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("name", DAMAGED)
def test_of_a_damaged_file_no_wrong_frame_is_given(name: str, keep: bool, folder: Path) -> None:
    path = made(name, folder)
    try:
        video = Video(path, SIZE, keep=keep)
    except VideoError as error:
        assert not len(shown_frames(path))
        assert str(error).startswith(f"{path}: ")
        return
    info = video.info
    times = np.linspace(info.start_s, info.end_s, 12).tolist()
    given = 0
    for length, clips in [(0.3, times), (0.7, times), *((0.3, [time_s]) for time_s in times)]:
        for time_s, clip in zip(clips, cut(video, clips, length), strict=True):
            if isinstance(clip, VideoError):
                assert "damaged or cut off" in str(clip)
                continue
            given += 1
            # 30 frames a second, numbered from 0: what is shown at that time.
            places = window(info.frame_times_s, info.end_s, time_s, length)
            assert clip == np.rint(info.frame_times_s[places] * 30).astype(int).tolist()
    assert given


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut_header_last.mp4", "no video stream"),
        ("audio.mp4", "no video stream"),
        ("empty.mp4", "not an MP4"),
        ("text.mp4", "not an MP4"),
        ("cut_header_first.mp4", "damaged or cut off"),
        ("missing.mp4", "no such file"),
    ],
)
def test_an_unreadable_video_is_named_with_the_reason(name: str, reason: str, folder: Path) -> None:
    path = folder / name if name == "missing.mp4" else made(name, folder)
    with pytest.raises(VideoError, match=rf"{path}: {reason}"):
        read_clip(path, 8, SIZE)
    if path.exists():
        with pytest.raises(VideoError, match=rf"^the video: {reason}") as error:
            read_clip(path.read_bytes(), 8, SIZE)
        assert "/" not in str(error.value)


@pytest.mark.parametrize("matrix", [(1, 0, 1, 1), (1, 0, -1, 1), (1, 1, 0, 1), (1, 1, -1, 1)])
def test_other_turns_are_refused(matrix: tuple[int, int, int, int], folder: Path) -> None:
    path = turn(folder / "other_turn.mp4", made("b_frames.mp4", folder), *matrix)
    with pytest.raises(VideoError, match="an angle that is not a multiple of 90 degrees"):
        read_clip(path, 2, SIZE)


@pytest.mark.parametrize("num_frames", [1, 2])
def test_very_short_videos(num_frames: int, tmp_path: Path) -> None:
    video = Video(write_video(tmp_path / "short.mp4", num_frames), SIZE)
    assert video.info.num_frames == num_frames
    assert video.info.duration_s == pytest.approx(num_frames / 30)
    assert read_numbers(video.clip(0.0, 8.0, 4)) == [0, 0, 0, num_frames - 1]
    assert read_numbers(video.clip(None, 0.0, 4)) == [0, 0, 0, num_frames - 1]


def test_info_is_in_time_from_the_first_frame(folder: Path) -> None:
    info = Video(made("variable_rate.mp4", folder), SIZE).info
    times = (np.array(IRREGULAR_MS) - IRREGULAR_MS[0]) / 1000
    np.testing.assert_allclose(info.frame_times_s, times, atol=1e-3)
    assert info.end_s == pytest.approx(times[-1] + 0.05, abs=0.1)


def test_frames_before_a_damage_can_still_be_read_after_an_error(tmp_path: Path) -> None:
    options = {"g": "12", "preset": "ultrafast"}
    whole = write_video(
        tmp_path / "whole.mp4", 3000, options=options, muxer={"movflags": "faststart"}
    )
    video = Video(overwrite(tmp_path / "bad.mp4", whole, 0.9, 1.0), SIZE)
    with pytest.raises(VideoError, match=r"bad\.mp4: damaged"):
        video.clip(99.0, 1.0, 3)
    assert read_numbers(video.clip(1.0, 2.0, 3)) == [0, 29, 59]
    after, before = cut(video, [99.0, 1.0], 2.0)
    assert isinstance(after, VideoError)
    assert before == [0, 19, 39, 59]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_duration_s=1.0), r"v\.mp4: it lasts 2\.00 s; at most 1 s are one clip"),
        (Limits(max_frames=59), r"v\.mp4: it has 60 frames; at most 59 are one clip"),
        (Limits(max_pixels=3000), r"v\.mp4: 64 x 48 pixels; at most 3,000 in all are decoded"),
    ],
)
def test_limits(limits: Limits, reason: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", 60)
    with pytest.raises(VideoError, match=reason):
        read_clip(path, 8, SIZE, limits)


def test_a_name_may_look_like_an_address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("take:1.mp4", folder)
    monkeypatch.chdir(folder)
    assert read_numbers(read_clip(Path("take:1.mp4"), 2, SIZE)) == [0, 99]


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def test_reading_here_and_there_does_not_fill_the_memory(tmp_path: Path) -> None:
    # All 1,200 frames at 448 x 448 would take 720 MB; the thread needs a second for 60 of these.
    path = write_video(tmp_path / "v.mp4", 1200, options={"preset": "ultrafast"})
    video = Video(path, 448)
    video.clip(0.1, 0.2, 2)
    before = resident_mb()
    assert read_numbers(video.clip(3.1, 0.2, 2)) == [90, 95]
    time.sleep(1.5)
    assert resident_mb() - before < 30
    assert read_numbers(video.clip(11.0, 17.0, 2)) == [75, 584]


@pytest.fixture
def case() -> Path:
    if not CASES.is_dir():
        pytest.skip(f"needs the files of public bug reports in {CASES}")
    return CASES


def test_a_trimmed_file_with_more_packets_than_frames(case: Path) -> None:
    path = case / "00-clips-hang/short.mp4"
    video = Video(path, SIZE)
    assert video.info.num_frames == len(shown_frames(path)) == 92
    assert video.info.end_s == pytest.approx(3.1)
    assert [isinstance(clip, list) for clip in cut(video, [0.5, 2.0], 8.0)] == [True, True]


def test_what_a_browser_records(case: Path) -> None:
    video = Video(case / "03-mediarecorder-webm/live.webm", SIZE)
    assert (video.info.num_frames, video.info.end_s) == (100, pytest.approx(4.0))
    np.testing.assert_allclose(
        video.clip(None, 0.0, 4).mean((1, 2, 3)), [16, 82, 148, 214], atol=1.5
    )


@pytest.mark.parametrize("name", ["gopro53k.mp4", "dci4k.mp4"])
def test_large_frames(case: Path, name: str) -> None:
    path = case / "10-large-frames" / name
    assert read_clip(path, 2, SIZE).shape == (2, SIZE, SIZE, 3)
    with pytest.raises(VideoError, match=r"\d{4} x \d{4} pixels; at most 8,294,400 in all"):
        read_clip(path, 2, SIZE, Limits(max_pixels=3840 * 2160))
