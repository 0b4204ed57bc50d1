"""Which frames of a video make up a clip: the one rule for training, narrating and serving."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# uint8 (num_frames, height, width, 3), RGB.
Frames = NDArray[np.uint8]
Indices = NDArray[np.int64]

# decord's frame times are 32-bit floats; an hour into a video their steps are a quarter of this.
_TIME_TOLERANCE_S = 1e-3


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video without decoding it."""

    num_frames: int
    fps: float
    duration_s: float
    # Seconds from the first frame's start to each frame's start, shape (num_frames,).
    frame_times_s: NDArray[np.float64] = field(repr=False, compare=False)


def window_indices(
    timestamp_s: float, window_s: float, num_frames: int, info: VideoInfo
) -> Indices:
    """Frames taken uniformly from a window around a time (the reference's rule).

    The window is centred on `timestamp_s` and moved inside the video; it holds the frames that
    start in it, of which those at `uniform_indices` are taken.

    Returns:
        int64 array (num_frames,), never falling.

    Raises:
        ValueError: the window lies wholly outside the video.
    """
    if not -window_s / 2 <= timestamp_s <= info.duration_s + window_s / 2:
        raise ValueError(f"{timestamp_s} s lies outside the video of {info.duration_s:.3f} s")
    start = max(min(timestamp_s - window_s / 2, info.duration_s - window_s), 0.0)
    bounds = np.array([start, start + window_s]) - _TIME_TOLERANCE_S
    first, end = np.searchsorted(info.frame_times_s, bounds)
    if end <= first:
        # A gap between two frames is longer than the window: the frame that is shown meanwhile.
        first, end = first - 1, first
    return int(first) + uniform_indices(int(end - first), num_frames)


def uniform_indices(available: int, wanted: int) -> Indices:
    """Positions linspace(0, available - 1, wanted), truncated (the reference's subsampling).

    The first, the last, and evenly between; some twice where `available` is less than `wanted`.

    >>> uniform_indices(10, 4).tolist(), uniform_indices(2, 4).tolist()
    ([0, 3, 6, 9], [0, 0, 0, 1])
    """
    return np.linspace(0, available - 1, wanted).astype(np.int64)
