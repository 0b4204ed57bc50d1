"""One clip out of whatever a user has: a video file, a moment of one, or frames."""

import math
from pathlib import Path

import numpy as np

from eilev.clips.decoder import Video, VideoError, read_clip
from eilev.clips.frame_choice import Frames, uniform_indices, window_indices
from eilev.inputs.defaults import NarrationDefaults

# A file (all of it is the clip), a file and the seconds that the clip is centred on, or frames:
# uint8 (time, height, width, 3), RGB, in order.
Footage = str | Path | tuple[str | Path, float] | Frames


def cut_clip(footage: Footage, defaults: NarrationDefaults) -> Frames:
    """Frames of a clip, taken uniformly as in training.

    Returns:
        uint8 (num_frames, height, width, 3): squares of `frame_size` for files, else as given.

    Raises:
        VideoError: the file can't be decoded, is too long to be one clip, or ends before the time.
        ValueError: frames of another type or shape, or a time that is not a number.
    """
    if isinstance(footage, np.ndarray):
        return _sample(footage, defaults.num_frames)
    if isinstance(footage, (str, Path)):
        return read_clip(Path(footage), defaults.num_frames, defaults.frame_size)
    name, time_s = footage
    if not isinstance(time_s, (int, float)) or not math.isfinite(time_s):
        raise ValueError(f"{name}: the time is {time_s!r}, expected seconds")
    video = Video(Path(name), defaults.frame_size)
    try:
        indices = window_indices(time_s, defaults.window_s, defaults.num_frames, video.info)
    except ValueError as error:
        raise VideoError(f"{name}: {error}") from error
    return video.frames(indices)


def _sample(frames: Frames, num_frames: int) -> Frames:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise ValueError(
            f"frames are {frames.dtype} {frames.shape}, expected uint8 (time, height, width, 3)"
        )
    return frames[uniform_indices(len(frames), num_frames)]
