from pathlib import Path

import numpy as np
import pytest

from eilev.clips.decoder import read_clip
from eilev.clips.limits import Limits, VideoError
from eilev.inputs.defaults import NarrationDefaults
from eilev.inputs.footage import cut_clip
from tests.videos import numbered_frame, read_numbers, write_video

DEFAULTS = NarrationDefaults(num_frames=5, window_s=2.0, frame_size=64)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """10 s of numbered frames, 10 a second."""
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4", 100, fps=10)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_is_a_clip_from_its_first_to_its_last_frame(video, kind):
    frames = cut_clip(kind(video), DEFAULTS)
    assert frames.shape == (5, 64, 64, 3)
    assert read_numbers(frames) == [0, 24, 49, 74, 99]
    # What a server does with the same file.
    assert np.array_equal(frames, read_clip(video, 5, 64))


@pytest.mark.parametrize(
    ("time_s", "numbers"),
    [
        (5.0, [40, 44, 49, 54, 59]),
        (0, [0, 4, 9, 14, 19]),  # moved inside the video
        (9.9, [80, 84, 89, 94, 99]),
    ],
)
def test_a_moment_is_the_window_around_it(video, time_s, numbers):
    assert read_numbers(cut_clip((str(video), time_s), DEFAULTS)) == numbers


def test_frames_are_sampled_to_the_number_the_model_takes():
    frames = np.stack([numbered_frame(number, 48, 36) for number in range(9)])
    found = cut_clip(frames, DEFAULTS)
    assert found.shape == (5, 36, 48, 3)
    assert read_numbers(found) == [0, 2, 4, 6, 8]
    assert read_numbers(cut_clip(frames[:2], DEFAULTS)) == [0, 0, 0, 0, 1]


def test_what_cannot_be_cut_is_named(video, tmp_path):
    with pytest.raises(VideoError, match=r"absent\.mp4: no such file"):
        cut_clip(tmp_path / "absent.mp4", DEFAULTS)
    with pytest.raises(VideoError, match=r"absent\.mp4: no such file"):
        cut_clip((tmp_path / "absent.mp4", 1.0), DEFAULTS)
    with pytest.raises(VideoError, match=r"a\.mp4: 12\.0 s lies outside the video of 10"):
        cut_clip((video, 12.0), DEFAULTS)
    for time_s in ("5", float("nan"), None):
        with pytest.raises(ValueError, match=r"a\.mp4: the time is .*, expected seconds"):
            cut_clip((video, time_s), DEFAULTS)
    long = write_video(tmp_path / "long.mp4", 122, fps=1)
    with pytest.raises(VideoError, match=r"it lasts 122\.00 s; .* name a moment .*long\.mp4@12\.5"):
        cut_clip(long, DEFAULTS)
    assert read_numbers(cut_clip(long, DEFAULTS, Limits(max_duration_s=122)))[-1] == 121
    with pytest.raises(VideoError, match=r"a\.mp4: 64 x 48 pixels; at most 3,000 in all"):
        cut_clip(video, DEFAULTS, Limits(max_pixels=3000))
    assert read_numbers(cut_clip((long, 100.0), DEFAULTS)) == [99, 99, 99, 99, 100]


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (4, 4, 3), (2, 3, 4, 4)])
def test_frames_of_another_form_are_refused(shape):
    with pytest.raises(ValueError, match="expected uint8"):
        cut_clip(np.zeros(shape, dtype=np.uint8), DEFAULTS)
    with pytest.raises(ValueError, match="frames are float32"):
        cut_clip(np.zeros((2, 4, 4, 3), dtype=np.float32), DEFAULTS)
