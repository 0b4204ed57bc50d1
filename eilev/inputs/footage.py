"""Clips out of whatever a user has: video files, moments of them, or frames."""

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from eilev.clips.frame_choice import Frames, uniform_indices
from eilev.clips.limits import Allow, Limits, TooLongError, VideoError
from eilev.clips.process import Worker, WorkerError
from eilev.inputs.defaults import NarrationDefaults

# A file (all of it is the clip), a file and the seconds that the clip is centred on, or frames:
# uint8 (time, height, width, 3), RGB, in order.
Footage = str | Path | tuple[str | Path, float] | Frames
# A file and the time of a clip (None: all of it), what clips are wanted, the largest video.
_Request = tuple[str, float | None, NarrationDefaults, Limits]

_ONE_AT_A_TIME = Lock()


def cut_clip(footage: Footage, defaults: NarrationDefaults, limits: Limits | None = None) -> Frames:
    """Frames of a clip, taken uniformly as in training.

    Files are decoded in another process, which a damaged one may crash or trap.

    Returns:
        uint8 (num_frames, height, width, 3): squares of `frame_size` for files, else as given.

    Raises:
        VideoError: the file can't be decoded, is too large or too long to be one clip, or ends
            before the time.
        ValueError: frames of another type or shape, or a time that is not a number.
    """
    if isinstance(footage, np.ndarray):
        return _sample(footage, defaults.num_frames)
    if isinstance(footage, (str, Path)):
        return _decode((str(footage), None, defaults, limits or Limits()))
    name, time_s = footage
    if not isinstance(time_s, (int, float)) or not math.isfinite(time_s):
        raise ValueError(f"{name}: the time is {time_s!r}, expected seconds")
    return _decode((str(name), float(time_s), defaults, limits or Limits()))


def _decode(request: _Request) -> Frames:
    try:
        with _ONE_AT_A_TIME:
            (frames,) = _worker().ask(request)
    except WorkerError as error:
        raise VideoError(f"{request[0]}: {error}") from error
    except ValueError as error:
        raise VideoError(str(error)) from error
    return frames


@cache
def _worker() -> Worker[_Request, Frames]:
    """The process that decodes for this one, from the first file on."""
    return Worker(_cut)


def _cut(request: _Request, allow: Allow) -> Iterator[Frames]:
    """Cut a clip; runs in the worker's process."""
    from eilev.clips.decoder import Video  # the decoders: only where frames are decoded

    name, time_s, defaults, limits = request
    video = Video(Path(name), defaults.frame_size, limits, allow=allow)
    try:
        yield video.clip(time_s, defaults.window_s, defaults.num_frames)
    except TooLongError as error:
        moment = f"{name}@12.5 (in Python, ({name!r}, 12.5))"
        raise VideoError(f"{error}; name a moment of it: {moment}") from error


def _sample(frames: Frames, num_frames: int) -> Frames:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise ValueError(
            f"frames are {frames.dtype} {frames.shape}, expected uint8 (time, height, width, 3)"
        )
    return frames[uniform_indices(len(frames), num_frames)]
