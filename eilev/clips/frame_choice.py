"""Which frames of a video make up a clip: the one rule for training, narrating and serving."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# uint8 (num_frames, height, width, 3), RGB.
Frames = NDArray[np.uint8]
Indices = NDArray[np.int64]

# Containers round times, Matroska to this: frames may be off by as much.
_TIME_TOLERANCE_S = 1e-3


@dataclass(frozen=True)
class VideoInfo:
    """When a player shows which frame.

    Seconds are those of the container's clock, which starts with whatever it plays first: 0.5 is
    the time of the first frame where the sound begins half a second earlier.

    Attributes:
        frame_times_s: when each shown frame starts, rising, shape (num_frames,).
        end_s: when the last one ends.
    """

    frame_times_s: NDArray[np.float64] = field(repr=False, compare=False)
    end_s: float

    @property
    def num_frames(self) -> int:
        """Frames that are shown; at least 1."""
        return len(self.frame_times_s)

    @property
    def start_s(self) -> float:
        """When the first frame starts."""
        return float(self.frame_times_s[0])

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame's start to the last one's end."""
        return self.end_s - self.start_s


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
    if not info.start_s - window_s / 2 <= timestamp_s <= info.end_s + window_s / 2:
        raise ValueError(f"{timestamp_s} s lies outside the video of {info.end_s:.3f} s")
    start = max(min(timestamp_s - window_s / 2, info.end_s - window_s), info.start_s)
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
