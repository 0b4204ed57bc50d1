"""Real, tiny video files whose frames carry their own number."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

ROWS, COLUMNS = 3, 4
MILLISECOND = Fraction(1, 1000)


def numbered_frame(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A picture of 12 black or white blocks: the bits of `number`."""
    bits = [(number >> bit) & 1 for bit in range(ROWS * COLUMNS)]
    blocks = np.array(bits, dtype=np.uint8).reshape(ROWS, COLUMNS) * 215 + 20
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    return np.repeat(blocks[rows][:, columns, None], 3, axis=2)


def read_number(frame: NDArray[np.uint8]) -> int:
    """The number that a (decoded, scaled) frame carries."""
    height, width, _ = frame.shape
    rows = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    columns = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    bits = (frame[rows][:, columns].mean(axis=-1) > 128).ravel()
    return int(bits @ (1 << np.arange(ROWS * COLUMNS)))


def read_numbers(frames: NDArray[np.uint8]) -> list[int]:
    return [read_number(frame) for frame in frames]


def write_video(
    path: Path,
    num_frames: int,
    *,
    fps: int = 30,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    times_ms: Sequence[int] | None = None,
) -> Path:
    """Encode `num_frames` numbered frames, at `times_ms` where given, else at a constant rate."""
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if times_ms is not None:
            stream.codec_context.time_base = MILLISECOND
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number, *size), format="rgb24")
            frame.time_base = Fraction(1, fps) if times_ms is None else MILLISECOND
            frame.pts = number if times_ms is None else times_ms[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_audio(path: Path) -> Path:
    """An MP4 without a video stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        for start in range(0, 16000, 1024):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut_off(path: Path, source: Path, share: float = 0.6) -> Path:
    """The first part of a file."""
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def overwrite(path: Path, source: Path, start: float, end: float) -> Path:
    """A copy of a file with zeros from one share of its length to another."""
    content = bytearray(source.read_bytes())
    first, last = int(len(content) * start), int(len(content) * end)
    content[first:last] = bytes(last - first)
    path.write_bytes(content)
    return path


def turn_right(path: Path, source: Path) -> Path:
    """A copy of an MP4 that a player must turn by 90 degrees, as phones write them."""
    return turn(path, source, 0, 1, -1, 0)


def turn(path: Path, source: Path, a: int, b: int, c: int, d: int) -> Path:
    """A copy of an MP4 of which a player moves x, y to a x + c y, b x + d y."""
    content = bytearray(source.read_bytes())
    # The matrix of a version 0 tkhd box.
    start = content.index(b"tkhd") + 44
    rows = a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30
    content[start : start + 36] = struct.pack(">9i", *rows)
    path.write_bytes(content)
    return path


def crash_decoder(path: Path, fragmented: Path) -> Path:
    """A copy of a fragmented MP4 whose header promises frames that it has not: decord aborts."""
    content = bytearray(fragmented.read_bytes())
    content[content.index(b"stts") + 11] = 172
    path.write_bytes(content)
    return path
