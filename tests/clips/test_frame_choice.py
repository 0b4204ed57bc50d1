import doctest

import numpy as np
import pytest

from eilev.clips import frame_choice
from eilev.clips.frame_choice import VideoInfo, window_indices


def test_worked_examples() -> None:
    result = doctest.testmod(frame_choice)
    assert result.attempted
    assert not result.failed


def info(times_s: np.ndarray, duration_s: float) -> VideoInfo:
    return VideoInfo(times_s, duration_s)


@pytest.mark.parametrize(
    ("timestamp_s", "first", "last"),
    # 8 s at 30 fps are 240 frames.
    [(30.0, 780, 1019), (0.0, 0, 239), (2.0, 0, 239), (59.0, 1560, 1799), (61.0, 1560, 1799)],
)
def test_windows_are_centred_and_moved_inside(timestamp_s: float, first: int, last: int) -> None:
    # 32-bit times, as decord gives them.
    whole = info(np.arange(1800).astype(np.float32) / np.float32(30), 60.0)
    indices = window_indices(timestamp_s, 8.0, 8, whole)
    expected = first + np.linspace(0, last - first, 8).astype(int)
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(indices, expected)


def test_windows_of_an_hour_long_video_are_exact() -> None:
    times = (np.arange(108_000) * (1001 / 30_000)).astype(np.float32).astype(np.float64)
    for frame in range(107_000, 107_760, 37):
        start = frame * 1001 / 30_000
        indices = window_indices(start + 4.0, 8.0, 2, info(times, float(times[-1]) + 1 / 30))
        assert indices.tolist() == [frame, frame + 239]


def test_a_window_longer_than_the_video_is_the_video() -> None:
    whole = info(np.arange(30) / 30, 1.0)
    assert window_indices(0.5, 8.0, 4, whole).tolist() == [0, 9, 19, 29]


def test_a_window_between_two_frames_is_the_frame_shown() -> None:
    still = info(np.array([0.0, 1.0, 100.0]), 101.0)
    assert window_indices(50.0, 8.0, 2, still).tolist() == [1, 1]
    assert window_indices(97.0, 8.0, 2, still).tolist() == [2, 2]


@pytest.mark.parametrize("timestamp_s", [-4.5, 5.5, 1e6])
def test_a_window_outside_the_video(timestamp_s: float) -> None:
    with pytest.raises(ValueError, match=r"lies outside the video of 1\.000 s"):
        window_indices(timestamp_s, 8.0, 4, info(np.arange(30) / 30, 1.0))
