"""What a video may cost, and how one is refused."""

from collections.abc import Callable
from dataclasses import dataclass

# Told before a long step how many seconds it may take.
Allow = Callable[[float], None]

# Seconds of the container's clock that are not worth a refusal: the last frame's length, rounding.
_SLACK_S = 0.01
# A computer that is slow, busy and reads over a network still does better.
_LEAST_S, _BYTES_PER_S, _S_PER_PIXEL = 60.0, 4e6, 1e-7


class VideoError(ValueError):
    """A video can't be decoded rightly; the message names the file and the reason."""


class TooLongError(VideoError):
    """A file is too long to be one clip, though moments of it may be read."""


class RefusedError(ValueError):
    """The reason for a VideoError, to which the name of the file is still to be added."""

    kind: type[VideoError] = VideoError


class RefusedLengthError(RefusedError):
    """The reason for a TooLongError."""

    kind = TooLongError


@dataclass(frozen=True)
class Limits:
    """The largest video that is decoded; checked before any frame is.

    The default is 8K (8192 x 4320), two minutes for a file that is one clip as a whole, and 240
    frames in each second of them. Moments of a longer file are cut out of a file of any length.
    """

    # Width x height of a frame.
    max_pixels: int = 8192 * 4320
    # Seconds and frames of a file that is one clip.
    max_duration_s: float = 120.0
    max_frames: int = 28_800

    def check_frame(self, width: int, height: int) -> None:
        """Refuse frames that are too large (RefusedError).

        >>> Limits(max_pixels=8_294_400).check_frame(5312, 2988)
        Traceback (most recent call last):
        eilev.clips.limits.RefusedError: 5312 x 2988 pixels; at most 8,294,400 in all are decoded
        """
        if width * height > self.max_pixels:
            raise RefusedError(
                f"{width} x {height} pixels; at most {self.max_pixels:,} in all are decoded"
            )

    def check_length(self, duration_s: float, num_frames: int) -> None:
        """Refuse a file that is too long to be one clip (RefusedLengthError)."""
        if duration_s > self.max_duration_s + _SLACK_S:
            raise RefusedLengthError(
                f"it lasts {duration_s:.2f} s; at most {self.max_duration_s:g} s are one clip"
            )
        if num_frames > self.max_frames:
            raise RefusedLengthError(
                f"it has {num_frames:,} frames; at most {self.max_frames:,} are one clip"
            )


def seconds_to_scan(num_bytes: int) -> float:
    """How long reading a file from end to end may take before it is given up."""
    return _LEAST_S + num_bytes / _BYTES_PER_S


def seconds_to_decode(num_frames: int, num_pixels: int) -> float:
    """How long decoding so many frames of so many pixels may take before it is given up."""
    return _LEAST_S + num_frames * num_pixels * _S_PER_PIXEL


def no_deadline(seconds: float) -> None:
    """An `Allow` for code that nobody watches."""
