"""The videos of a request: data URLs to frames.

Remote addresses and files are refused: fetching what a stranger names is a door into the server's
network. Everything is bounded before it is decoded.
"""

import base64
import binascii
import io
import re

import numpy as np
from PIL import Image, UnidentifiedImageError

from eilev.clips.decoder import read_clip
from eilev.clips.frame_choice import Frames, uniform_indices
from eilev.clips.limits import Limits, RefusedError, VideoError

# data:video/mp4;codecs=avc1;base64,AAAA...
_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.I)
JPEG_FRAMES = "video/jpeg"
_STILLS = ["JPEG", "PNG", "WEBP"]


class MediaError(ValueError):
    """A video of a request is refused or can't be decoded; the message tells why."""


def load_clip(url: str, num_frames: int, size: int, limits: Limits) -> Frames:
    """Frames taken uniformly from the whole video of a data URL.

    `data:video/mp4;base64,...` (or another container that the decoder knows),
    `data:video/jpeg;base64,FRAME,FRAME,...`, frames that the client sampled itself, and
    `data:image/jpeg;base64,...`, a still.

    Args:
        url: the data URL.
        num_frames: frames taken; some are repeated where the video has fewer.
        size: frames are squashed to this width and height in pixels.
        limits: the largest video that is decoded.

    Returns:
        uint8 (num_frames, size, size, 3).

    Raises:
        MediaError: another kind of URL, broken base64, an undecodable or a too large video.
    """
    match = _DATA_URL.match(url)
    if match is None:
        scheme = url.partition(":")[0][:20]
        raise MediaError(
            f"'{scheme}:' is not accepted, videos are never fetched; send the file itself as "
            "data:video/mp4;base64,..."
        )
    kind, payload = match["type"].lower(), url[match.end() :]
    if kind.startswith("image/"):
        return np.stack([_still(payload, size, limits)] * num_frames)
    if not kind.startswith("video/"):
        raise MediaError(f"'{kind}' is not a video; send data:video/mp4;base64,...")
    if kind == JPEG_FRAMES:
        return _jpeg_frames(payload.split(","), num_frames, size, limits)
    try:
        return read_clip(_decode_base64(payload), num_frames, size, limits)
    except VideoError as error:
        raise MediaError(str(error)) from error


def _decode_base64(payload: str) -> bytes:
    try:
        content = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError(f"the data is not base64: {error}") from error
    if not content:
        raise MediaError("the data is empty")
    return content


def _jpeg_frames(payloads: list[str], num_frames: int, size: int, limits: Limits) -> Frames:
    if len(payloads) > limits.max_frames:
        raise MediaError(f"{len(payloads):,} frames; at most {limits.max_frames:,} are one clip")
    return np.stack(
        [
            _still(payloads[index], size, limits)
            for index in uniform_indices(len(payloads), num_frames)
        ]
    )


def _still(payload: str, size: int, limits: Limits) -> Frames:
    try:
        # Opening reads the header only.
        with Image.open(io.BytesIO(_decode_base64(payload)), formats=_STILLS) as image:
            limits.check_frame(image.width, image.height)
            squashed = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
            return np.asarray(squashed)
    except RefusedError as error:
        raise MediaError(f"a frame has {error}") from error
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise MediaError(f"a frame is not a readable JPEG, PNG or WebP: {error}") from error
