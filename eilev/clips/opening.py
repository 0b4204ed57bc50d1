"""Opens a video with the one demuxer that its first bytes ask for, and with nothing else."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.stream import Discard

from eilev.clips.limits import RefusedError

# By their first bytes, whatever the suffix. Anything else might be a playlist that makes FFmpeg
# open other files and addresses.
_FORMATS = {
    "mov": re.compile(rb".{4}(ftyp|moov|mdat|free|skip|wide)", re.S),
    "matroska": re.compile(rb"\x1a\x45\xdf\xa3"),
    "avi": re.compile(rb"RIFF.{4}AVI ", re.S),
    "mpegts": re.compile(rb"\x47.{187}\x47|.{4}\x47.{191}\x47", re.S),
}
_HEAD_BYTES = 256


@dataclass(frozen=True)
class Opened:
    """A file that stays open, with all packets of its video and the empty one that ends them."""

    container: Any
    stream: Any
    packets: Sequence[Any]

    def close(self) -> None:
        """Its packets can't be decoded any more."""
        self.container.close()


def open_container(path: Path, name: str | None = None) -> Any:
    """Open a file with the demuxer that its first bytes ask for."""
    # An absolute path: FFmpeg takes "take" in take:1.mp4 for a protocol.
    options = {"protocol_whitelist": "file"}
    return av.open(
        str(path.absolute()),
        format=name or container_format(path),
        options=options,
        metadata_errors="ignore",
    )


def video_stream(container: Any) -> Any:
    """The stream that a player shows; the others are passed over while reading.

    Raises:
        RefusedError: there is none that can be decoded.
    """
    stream = container.streams.best("video")
    if stream is None or stream.codec_context is None or not stream.codec_context.width:
        raise RefusedError("no video stream that can be decoded (only audio, or cut off)")
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    # More threads would fight with those of other workers.
    stream.codec_context.thread_count = 1
    return stream


@contextmanager
def reading() -> Iterator[None]:
    """Turn FFmpeg's errors into RefusedError."""
    try:
        yield
    except MemoryError as error:
        raise RefusedError("decoding it takes too much memory") from error
    except (av.error.FFmpegError, OSError) as error:
        detail = str(getattr(error, "strerror", None) or error)
        raise RefusedError(f"damaged or cut off ({detail})") from error


def container_format(path: Path) -> str:
    """FFmpeg's name of the demuxer for a file (RefusedError: no file of a known kind)."""
    if not path.is_file():
        raise RefusedError("no such file")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for name, magic in _FORMATS.items():
        if magic.match(head):
            return name
    raise RefusedError("not an MP4, MOV, Matroska, WebM, AVI or MPEG-TS file")
