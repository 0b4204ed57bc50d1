"""Frames of any number of clips in one pass over the video, by PyAV.

Frames are decoded in order and only those that are wanted are scaled. A seek is made where it saves
decoding, always to a key frame that is then waited for packet by packet, so that no container's way
of seeking matters. Each decoded frame must be the one that the container announced; the pixels are
those of decord, to the bit.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import dropwhile
from pathlib import Path
from typing import Any, Self, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from eilev.clips.container import Track
from eilev.clips.frame_choice import Indices
from eilev.clips.limits import RefusedError
from eilev.clips.opening import Opened, open_container, reading, video_stream
from eilev.clips.turning import Turn, turned

_Result = TypeVar("_Result")
_Image = NDArray[np.uint8]

# The first frames are all decoded, to see that they are those which the packets announced.
_CHECKED = 32
# Frames that a decoder may hold back: nearer than this, a key frame's packet may be read already,
# and whether groups are closed has not been seen.
_MIN_JUMP = 32


class MiscountedError(Exception):
    """The packets announced other frames than the decoder shows."""


class PyavReader:
    """Reads frames in rising order, again from the start where need be; for one thread."""

    def __init__(self, path: Path, size: int, track: Track) -> None:
        self._path, self._track = path, track
        self._scaler = _Scaler(size)
        self._container: Any = None
        self._stream: Any = track.opened.stream if track.opened is not None else None
        self._decoded: Iterator[Any] = iter(())
        # The number of the frame that comes next; those before `_first` are passed over.
        self._next = self._first = track.info.num_frames
        # Frames decoded so far; only H.264 says for certain that nobody needs a frame.
        self._num_checked = 0
        self._may_skip = track.codec == "h264" and track.pts is not None
        self._wanted_pts: frozenset[int] = frozenset()
        # First frame that could not be decoded, by the key frame before it.
        self._damaged: dict[int, int] = {}
        # Where decoding may begin: frame numbers, and their packets' pts and dts.
        self._keys: list[int] = track.keys.tolist()
        self._stamps = list(zip(track.key_pts.tolist(), track.key_dts.tolist(), strict=True))
        self._begun_at = 0
        # Packets that are kept are all there, and to groups that are closed any jump is right.
        self._min_jump = 0 if track.opened is not None and track.suits_decord else _MIN_JUMP
        # Whether a damage has ended the decoding since.
        self._ends = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._container is not None:
            self._container.close()

    def read(
        self, clips: Sequence[Indices], encode: Callable[[_Image], _Result]
    ) -> Iterator[tuple[int, list[_Result] | RefusedError]]:
        """Read clips in the order in which they end.

        Args:
            clips: the numbers of each clip's frames, never falling.
            encode: what is kept of a frame, uint8 (size, size, 3).

        Yields:
            The clip's place in `clips`, and what is kept of its frames or why there is none.

        Raises:
            MiscountedError: the numbers are wrong (they come from the track's packets).
        """
        kept: dict[int, _Result | RefusedError] = {}
        by_end = sorted(range(len(clips)), key=lambda place: int(clips[place][-1]))
        # Of this clip and those that end later, the first frame.
        starts = np.minimum.accumulate([clips[place][0] for place in reversed(by_end)])[::-1]
        numbers = np.unique(np.concatenate(clips)) if clips else np.array([], np.int64)
        if self._track.pts is not None:
            self._wanted_pts = frozenset(self._track.pts[numbers].tolist())
        wanted = iter(numbers.tolist())
        for place, start in zip(by_end, starts.tolist(), strict=True):
            for number in [number for number in kept if number < start]:
                del kept[number]
            mine = clips[place].tolist()
            while mine[-1] not in kept:
                number = next(wanted)
                kept[number] = self._try(number, encode)
            yield place, _all_of([kept[number] for number in mine])

    def _try(self, number: int, encode: Callable[[_Image], _Result]) -> _Result | RefusedError:
        key = bisect_right(self._keys, number) - 1
        group = self._keys[key] if key >= 0 else 0
        if number >= self._damaged.get(group, number + 1):
            return RefusedError("damaged or cut off")
        try:
            with reading():
                return encode(self._scaler.scale(self._frame(number), self._track.turn))
        except RefusedError as error:
            self._damaged[group] = number
            self._next = self._track.info.num_frames
            return error

    def _frame(self, number: int) -> Any:
        """Decode on to a frame, or from the last key frame before it where that is nearer."""
        while True:
            key = bisect_right(self._keys, number) - 1
            if number < self._next or (key >= 0 and self._keys[key] > self._next + self._min_jump):
                self._jump(key)
            try:
                return self._decode_to(number)
            except MiscountedError:
                if self._first == 0:
                    raise
                # Decoding can't begin there after all (pictures that are refreshed bit by bit).
                del self._keys[self._begun_at], self._stamps[self._begun_at]
                self._next = self._track.info.num_frames

    def _decode_to(self, number: int) -> Any:
        frame = None
        while self._next <= number:
            frame = next(self._decoded, None)
            if frame is None or frame.is_corrupt:
                raise RefusedError("damaged or cut off")
            found = self._number(frame)
            if found is None:
                continue
            if found > (number if self._skips() else self._next):
                raise RefusedError("damaged or cut off") if self._ends else MiscountedError
            self._next = found + 1
            self._num_checked += 1
        return frame

    def _number(self, frame: Any) -> int | None:
        """The frame's number; None for one before the key frame at which decoding began."""
        pts = self._track.pts
        if pts is None:
            return self._next
        if self._first > 0 and (frame.pts is None or frame.pts < pts[self._first]):
            return None
        found = int(np.searchsorted(pts, frame.pts)) if frame.pts is not None else len(pts)
        if found < self._next or found >= len(pts) or pts[found] != frame.pts:
            raise MiscountedError
        return found

    def _skips(self) -> bool:
        """Whether frames that are neither wanted nor referred to are left out; not after a jump."""
        return self._may_skip and self._num_checked >= _CHECKED and self._next > self._first

    def _jump(self, key: int) -> None:
        """Begin at a key frame; -1 is the start of the file."""
        self._begun_at, self._ends = key, False
        self._next = self._first = self._keys[key] if key > 0 else 0
        self._decoded = self._decode(self._packets(key))

    def _decode(self, packets: Iterator[Any]) -> Iterator[Any]:
        try:
            for packet in packets:
                yield from self._decode_packet(packet)
        except (av.error.FFmpegError, RefusedError):
            # What the decoder has held back until here is whole.
            self._ends = True
            yield from self._stream.codec_context.decode(None)
            raise

    def _decode_packet(self, packet: Any) -> list[Any]:
        if packet.is_corrupt:
            raise RefusedError("damaged or cut off")
        if self._may_skip:
            left_out = self._skips() and packet.pts not in self._wanted_pts
            self._stream.codec_context.skip_frame = "NONREF" if left_out else "DEFAULT"
        frames: list[Any] = packet.decode()
        return frames

    def _packets(self, key: int) -> Iterator[Any]:
        if self._track.opened is not None:
            return self._from_opened(self._track.opened, key)
        return self._from_start() if key <= 0 else self._from_key(key)

    def _from_opened(self, opened: Opened, key: int) -> Iterator[Any]:
        """The packets from a key frame's on, of a file that is kept open."""
        opened.stream.codec_context.flush_buffers()
        packets: Iterable[Any] = opened.packets
        if key > 0:
            pts = self._stamps[key][0]
            packets = dropwhile(lambda each: not each.is_keyframe or each.pts != pts, packets)
        yield from packets

    def _from_start(self) -> Iterator[Any]:
        if self._container is not None:
            self._container.close()
        self._container = open_container(self._path)
        self._stream = video_stream(self._container)
        yield from self._container.demux(self._stream)

    def _from_key(self, key: int) -> Iterator[Any]:
        """The packets from a key frame's on: by a seek, or by reading all where that goes wrong."""
        pts, dts = self._stamps[key]
        if self._container is None:
            self._container = open_container(self._path)
            self._stream = video_stream(self._container)
        self._container.seek(min(pts, dts), stream=self._stream)
        self._stream.codec_context.flush_buffers()
        for packets in (self._container.demux(self._stream), self._from_start()):
            for packet in packets:
                if packet.is_keyframe and packet.pts == pts:
                    yield packet
                    yield from packets
                    return
                if packet.dts is not None and packet.dts > dts:
                    break


class _Scaler:
    """Squashes frames to squares, as the filter graph of decord does."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._form: tuple[Any, ...] = ()
        self._graph: Any = None

    def scale(self, frame: Any, turn: Turn) -> _Image:
        """Scale, then turn: uint8 (size, size, 3), RGB."""
        form = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if form != self._form:
            self._graph, self._form = self._build(frame), form
        self._graph.push(frame)
        return turned(self._graph.pull().to_ndarray(), turn)

    def _build(self, frame: Any) -> Any:
        graph = av.filter.Graph()
        graph.threads = 1
        filters = [
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base,
            ),
            graph.add("scale", f"{self._size}:{self._size}:flags=bilinear"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*filters).configure()
        return graph


def _all_of(parts: list[_Result | RefusedError]) -> list[_Result] | RefusedError:
    for part in parts:
        if isinstance(part, RefusedError):
            return part
    return [part for part in parts if not isinstance(part, RefusedError)]
