"""The videos of a request: URLs to bytes, in the server, and bytes to frames, in another process.

Everything is bounded before it is decoded. Addresses are another module's matter (fetching.py).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eilev.clips.decoder import Video
from eilev.clips.frame_choice import Frames, uniform_indices
from eilev.clips.limits import Limits, RefusedError, VideoError
from eilev.clips.opening import container_format
from eilev.serving.data_urls import DataUrlError, read_data_url
from eilev.serving.memory import files_in_memory
from eilev.serving.pictures import NAMES, is_heif, is_picture, read_picture

SEND_IT = "send the file itself as data:video/mp4;base64,..."
_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]{0,30}):", re.I)


class MediaError(ValueError):
    """A video of a request is refused or can't be decoded; the message tells why."""


@dataclass(frozen=True)
class Payload:
    """What was sent as one video; not looked into yet.

    Attributes:
        parts: one file, or the frames that a client took out of a video itself, a file each.
    """

    parts: tuple[bytes, ...] = field(repr=False)

    def digest(self) -> str:
        """SHA-256 of everything that frames are made from, in hexadecimal."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.hexdigest()

    def sampled(self, num_frames: int) -> "Payload":
        """Without the parts that a clip of so many frames leaves out."""
        places = np.unique(uniform_indices(len(self.parts), num_frames))
        return Payload(tuple(self.parts[place] for place in places))


def read_payload(url: str, limits: Limits) -> Payload:
    """What a data URL holds; quick, as nothing is decoded.

    Args:
        url: `data:video/mp4;base64,...` with any media type, or frames that the client took
            itself, `data:video/jpeg;base64,FRAME,FRAME,...`.
        limits: of which `max_frames` is checked.

    Raises:
        MediaError: another kind of URL, broken base64, too many frames.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise MediaError(f"this is no URL; {SEND_IT}")
    if scheme[1].lower() != "data":
        raise MediaError(f"'{scheme[1]}:' is not accepted; {SEND_IT}")
    try:
        return Payload(read_data_url(url, limits.max_frames))
    except DataUrlError as error:
        raise MediaError(str(error)) from error


# Start and end of a part of a video in seconds.
Segment = tuple[float, float]


def read_frames(
    files: Sequence[Path],
    num_frames: int,
    size: int,
    limits: Limits,
    segment: Segment | None = None,
) -> Frames:
    """Frames taken uniformly from a video.

    Args:
        files: a payload's parts: one video or picture, or a picture for each frame.
        num_frames: frames taken; some are repeated where the video has fewer.
        size: frames are squashed to this width and height in pixels.
        limits: the largest video that is decoded.
        segment: of a single video file; None for all of it.

    Returns:
        uint8 (num_frames, size, size, 3).

    Raises:
        MediaError: undecodable or too large.
    """
    try:
        if len(files) == 1:
            return _read_file(files[0], num_frames, size, limits, segment)
        places = uniform_indices(len(files), num_frames)
        return np.concatenate([read_picture(files[place], 1, size, limits) for place in places])
    except VideoError as error:
        raise MediaError(str(error)) from error


def _read_file(
    path: Path, num_frames: int, size: int, limits: Limits, segment: Segment | None
) -> Frames:
    """Frames of a video or a picture: its first bytes tell, whatever a client calls it."""
    if is_picture(path):
        return read_picture(path, num_frames, size, limits)
    if is_heif(path):
        raise VideoError("the picture is a HEIC, which is not decoded; send a JPEG")
    try:
        container_format(path)
    except RefusedError as error:
        raise VideoError(f"the video: {error}, and no {NAMES} either") from error
    with Video(path, size, limits, name="the video", keep=True) as video:
        if segment is None:
            return video.clip(None, 0.0, num_frames)
        start_s, end_s = segment
        return video.clip((start_s + end_s) / 2, end_s - start_s, num_frames)


def load_clip(url: str, num_frames: int, size: int, limits: Limits) -> Frames:
    """`read_payload` and `read_frames` in one process."""
    payload = read_payload(url, limits)
    with files_in_memory(payload.sampled(num_frames).parts) as files:
        return read_frames(files, num_frames, size, limits)
