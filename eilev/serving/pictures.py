"""Pictures, which Pillow reads: stills, animations, and frames that a client took out itself."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from eilev.clips.frame_choice import Frames, uniform_indices
from eilev.clips.limits import Limits, RefusedError, VideoError

NAMES = "JPEG, PNG, GIF, WebP or AVIF"
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
_FIRST_BYTES = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8[79]a|RIFF.{4}WEBP|.{4}ftypavi[fs]", re.S)
# A picture in the container of MP4, of which FFmpeg would show one tile.
_HEIF = re.compile(rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.S)
_HEAD_BYTES = 12
# A phone's JPEG may hold more pictures than the one that is shown (MPO).
_ANIMATED = frozenset({"PNG", "GIF", "WEBP", "AVIF"})

# How a player turns a picture, by the Orientation of its EXIF.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def is_picture(path: Path) -> bool:
    """Whether a file's first bytes are those of a picture that `read_picture` knows."""
    return _FIRST_BYTES.match(_head(path)) is not None


def is_heif(path: Path) -> bool:
    """Whether they are those of a HEIC, a phone's photo, which it does not know."""
    return _HEIF.match(_head(path)) is not None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def read_picture(path: Path, num_frames: int, size: int, limits: Limits) -> Frames:
    """Frames taken uniformly from an animation; a still is an animation of one frame.

    Each is turned as its EXIF says, and laid on white where it is transparent.

    Returns:
        uint8 (num_frames, size, size, 3).

    Raises:
        VideoError: it can't be decoded or is too large.
    """
    try:
        # Opening reads the header only.
        with Image.open(path, formats=_FORMATS) as image:
            limits.check_frame(image.width, image.height)
            return _frames(image, num_frames, size, limits)
    except MemoryError:
        raise
    except RefusedError as error:
        raise VideoError(f"the picture: {error}") from error
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise VideoError(f"the picture is not a readable {NAMES}: {error}") from error


def _frames(image: ImageFile.ImageFile, num_frames: int, size: int, limits: Limits) -> Frames:
    places = _places(image)
    limits.check_length(0.0, len(places))
    wanted = uniform_indices(len(places), num_frames)
    squashed = {}
    for number, _ in enumerate(_shown(image, places, limits)):
        if number in wanted:
            squashed[number] = _squash(image, size)
    return np.stack([squashed[number] for number in wanted.tolist()])


def _places(image: ImageFile.ImageFile) -> range:
    """Where in the file the frames are that a player shows."""
    if image.format not in _ANIMATED:
        return range(1)
    # An animated PNG may begin with a picture for those who can't play it.
    return range(int(getattr(image, "default_image", False)), getattr(image, "n_frames", 1))


def _shown(image: ImageFile.ImageFile, places: range, limits: Limits) -> Iterator[None]:
    """Bring the frames up one by one: most are drawn over the ones before."""
    lasted_ms = 0.0
    for place in places:
        if place:
            image.seek(place)
        image.load()
        if len(places) > 1:
            lasted_ms += image.info.get("duration", 0)
            limits.check_length(lasted_ms / 1000, len(places))
        yield


def _squash(image: Image.Image, size: int) -> NDArray[np.uint8]:
    squashed = _in_colour(image).resize((size, size), Image.Resampling.BICUBIC)
    if squashed.mode == "RGBA":
        white = Image.new("RGBA", squashed.size, "white")
        squashed = Image.alpha_composite(white, squashed).convert("RGB")
    turn = _turn(image)
    return np.asarray(squashed if turn is None else squashed.transpose(turn))


def _in_colour(image: Image.Image) -> Image.Image:
    """In RGB or RGBA, 8 bits."""
    if image.mode.startswith("I"):  # of 16 bits, which Pillow would cut off above 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _turn(image: Image.Image) -> Image.Transpose | None:
    with suppress(Exception):  # a player passes over damaged EXIF as well
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return None
