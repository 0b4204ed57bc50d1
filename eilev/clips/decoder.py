"""Frames of video files, decoded with decord; the only module that knows it.

decord 0.6 has traps, each handled here and tested on real files:

- After `get_batch` its decoder thread runs ahead until the rest of the file is in memory; a seek to
  the start stops it (dmlc/decord issues 157 and 208), at the price of decoding there in vain.
- In files with open groups of pictures (the default of x265) a seek lands some frames late, while
  reading in order is right. `Video` seeks, so it checks the file and refuses it if need be;
  `read_clip` reads in order.
- Its thread also reports damage that it ran into further on, and after an error a reader may give
  wrong frames: a failed read is tried once more with a new reader.
- What it is given as bytes it prints when it can't read it, so bytes go through a file.
- Its messages name C++ lines, and FFmpeg's log goes to stderr.

A file whose header is damaged in a certain way aborts the process: decode in a child process where
that matters.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import decord
import numpy as np

from eilev.clips.frame_choice import Frames, Indices, VideoInfo, uniform_indices

_Result = TypeVar("_Result")

# Decoded frames that may pile up in memory before the decoder thread is stopped.
_RUN_AHEAD_BYTES = 64 << 20
# Seek targets on which seeking is compared with reading in order, and the frames read at most.
_CHECKED_KEYS = 3
_CHECKED_FRAMES = 1000
# Grey levels: mean difference up to which two decoded frames count as the same one.
_SAME_FRAME = 2.0
# MP4 and MOV, Matroska and WebM, AVI. Anything else might be a playlist that makes FFmpeg open
# other files and addresses.
_CONTAINERS = re.compile(
    rb".{4}(ftyp|moov|mdat|free|skip|wide)|\x1a\x45\xdf\xa3|RIFF.{4}AVI ", re.S
)
_DECORD_ERRORS = (decord.DECORDError, RuntimeError, AssertionError, StopIteration)
_CPP_LOCATION = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")


class VideoError(ValueError):
    """A video can't be decoded rightly; the message names the file and the reason."""


@dataclass(frozen=True)
class Limits:
    """The largest video that `read_clip` decodes."""

    max_duration_s: float = 120.0
    max_frames: int = 7200
    # Width x height of a frame.
    max_pixels: int = 3840 * 2160


class Video:
    """An open video file of which frames are read here and there; for one thread.

    Attributes:
        info: length and frame times.
    """

    def __init__(self, path: Path, size: int) -> None:
        """Open a video whose frames the decoder squashes to `size` x `size` pixels.

        Raises:
            VideoError: there is no such file, it can't be decoded, or seeking in it is inexact.
        """
        self._path, self._size = path, size
        with _decoding(str(path)):
            self._reader: Any = _open(path, size)
            self.info = _info(self._reader)
            exact = self._try(_seeks_exactly)
        if not exact:
            raise VideoError(
                f"{path}: a seek gives other frames than reading in order (open groups of"
                " pictures?); re-encode it, e.g. ffmpeg -i IN -c:v libx264 OUT.mp4"
            )

    def frames(self, indices: Indices) -> Frames:
        """Decode the frames at rising `indices` (repeats allowed).

        Returns:
            uint8 array (len(indices), size, size, 3).

        Raises:
            VideoError: a frame can't be decoded.
        """
        with _decoding(str(self._path)):
            return self._try(lambda reader: self._read(reader, indices))

    def _try(self, use: Callable[[Any], _Result]) -> _Result:
        """Use the reader, or a new one where that fails."""
        if self._reader is not None:
            with suppress(*_DECORD_ERRORS):
                return self._use(use)
        self._reader = _open(self._path, self._size)
        return self._use(use)

    def _use(self, use: Callable[[Any], _Result]) -> _Result:
        # Kept only if all goes well.
        reader, self._reader = self._reader, None
        result = use(reader)
        self._reader = reader
        return result

    def _read(self, reader: Any, indices: Indices) -> Frames:
        batch: Frames = reader.get_batch(indices.tolist()).asnumpy()
        if batch[0].nbytes * self.info.num_frames > _RUN_AHEAD_BYTES:
            reader.seek(0)
        return batch


def read_clip(
    source: Path | bytes, num_frames: int, size: int, limits: Limits | None = None
) -> Frames:
    """Decode frames taken uniformly from a whole video, such as one that a client sends.

    The limits are checked before more than one frame is decoded.

    Returns:
        uint8 array (num_frames, size, size, 3).

    Raises:
        VideoError: the video can't be decoded or exceeds a limit.
    """
    if isinstance(source, Path):
        return _read_clip(source, str(source), num_frames, size, limits or Limits())
    with tempfile.NamedTemporaryFile(prefix="eilev-") as file:
        file.write(source)
        file.flush()
        return _read_clip(Path(file.name), "the video", num_frames, size, limits or Limits())


def _read_clip(path: Path, name: str, num_frames: int, size: int, limits: Limits) -> Frames:
    with _decoding(name):
        reader = _open(path, size)
        info = _info(reader)
        _check("seconds", info.duration_s, limits.max_duration_s)
        _check("frames", info.num_frames, limits.max_frames)
        height, width, _ = _open(path, -1)[0].shape
        _check("pixels in a frame", height * width, limits.max_pixels)
        return _read_in_order(reader, uniform_indices(info.num_frames, num_frames))


def _check(unit: str, found: float, most: float) -> None:
    if found > most:
        raise _RefusedError(f"{found:g} {unit}, at most {most:g} are allowed")


def _open(path: Path, size: int) -> Any:
    if not path.is_file():
        raise _RefusedError("no such file")
    with path.open("rb") as file:
        if not _CONTAINERS.match(file.read(16)):
            raise _RefusedError("not an MP4, MOV, Matroska, WebM or AVI file")
    decord.logging.set_level(decord.logging.QUIET)
    # More threads would fight with those of other workers.
    return decord.VideoReader(str(path), decord.cpu(0), width=size, height=size, num_threads=1)


def _info(reader: Any) -> VideoInfo:
    num_frames, fps = len(reader), float(reader.get_avg_fps())
    times = np.asarray(reader.get_frame_timestamp(range(num_frames)), dtype=np.float64)
    times -= times[0, 0]
    # Some containers don't say how long the last frame lasts.
    end = times[-1, 0] + (1 / fps if fps > 0 else 0.0)
    return VideoInfo(num_frames, fps, float(max(times[-1, 1], end)), times[:, 0].copy())


def _seeks_exactly(reader: Any) -> bool:
    """Whether the first few seek targets hold the frames that reading in order gives."""
    keys = [key for key in reader.get_key_indices() if 0 < key < _CHECKED_FRAMES][:_CHECKED_KEYS]
    if not keys:
        return True
    in_order = _read_in_order(reader, np.array(keys, dtype=np.int64))
    for key, expected in zip(keys, in_order, strict=True):
        reader.seek(0)
        sought = reader.get_batch([key]).asnumpy()[0]
        if np.abs(sought.astype(np.int16) - expected).mean() > _SAME_FRAME:
            return False
    reader.seek(0)
    return True


def _read_in_order(reader: Any, indices: Indices) -> Frames:
    """Frames at rising indices, without any seek but the one to the start."""
    reader.seek(0)
    repeats = Counter(indices.tolist())
    kept: list[Frames] = []
    for index in range(int(indices[-1]) + 1):
        frame = reader.next()
        if index in repeats:
            kept += [frame.asnumpy()] * repeats[index]
    return np.stack(kept)


class _RefusedError(ValueError):
    """A reason for a VideoError, to which `_decoding` adds the name."""


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn what goes wrong inside into a VideoError with the video's name."""
    try:
        yield
    except _RefusedError as error:
        raise VideoError(f"{name}: {error}") from error
    except _DECORD_ERRORS as error:
        raise VideoError(f"{name}: {_reason(str(error))}") from error


def _reason(message: str) -> str:
    """What a message of decord means, without C++ line numbers and stack."""
    if "cannot find video stream" in message:
        return "no video stream that can be decoded (only audio, an unknown codec, or cut off)"
    detail = _CPP_LOCATION.sub("", message.partition("\n")[0]).strip()
    if not detail or detail.startswith("Error reading"):
        return "damaged or cut off"
    return f"damaged or cut off ({detail})"
