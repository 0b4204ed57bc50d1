"""Pictures, which Pillow reads: stills, and the frames that a client took out of a video itself."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Limits, RefusedError, VideoError

_FORMATS = ("JPEG", "PNG", "WEBP")
_FIRST_BYTES = re.compile(rb"\xff\xd8\xff|\x89PNG|RIFF.{4}WEBP", re.S)
_HEAD_BYTES = 12


def is_picture(path: Path) -> bool:
    """Whether a file's first bytes are those of a picture."""
    with path.open("rb") as file:
        return _FIRST_BYTES.match(file.read(_HEAD_BYTES)) is not None


def read_picture(path: Path, num_frames: int, size: int, limits: Limits) -> Frames:
    """A still as a clip.

    Returns:
        uint8 (num_frames, size, size, 3).

    Raises:
        VideoError: it can't be decoded or is too large.
    """
    try:
        # Opening reads the header only.
        with Image.open(path, formats=_FORMATS) as image:
            limits.check_frame(image.width, image.height)
            squashed = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
            return np.stack([np.asarray(squashed)] * num_frames)
    except RefusedError as error:
        raise VideoError(f"a frame has {error}") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise VideoError(f"a frame is not a readable JPEG, PNG or WebP: {error}") from error
