"""What a container says of its video: which frames a player shows, and when.

FFmpeg's demuxers (PyAV) read every packet once, which is cheap; a frame is decoded only where the
packets do not tell (AVI has no presentation times), and one to see how the picture is turned. A
small file may be kept open for both and for its reader: opening is most of the work there.
"""

from array import array
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from eilev.clips.frame_choice import Indices, VideoInfo
from eilev.clips.limits import (
    Allow,
    Limits,
    RefusedError,
    no_deadline,
    seconds_to_decode,
    seconds_to_scan,
)
from eilev.clips.opening import Opened, container_format, open_container, reading, video_stream
from eilev.clips.turning import UPRIGHT, Turn, turn_of_first

# Of which decord's FFmpeg (4.1) decodes one frame a packet; it knows no AV1.
_DECORD_CODECS = frozenset({"h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9"})
_DECORD_FORMATS = frozenset({"mov", "matroska"})
_NO_TIME = np.iinfo(np.int64).min
_SHOWN_VP8 = 0x10
_H264_SLICE, _H264_IDR = 1, 5

# A file up to this size may be held in memory by its packets.
_KEPT_BYTES = 8 << 20


@dataclass(frozen=True)
class Track:
    """The video stream of a container.

    Attributes:
        info: the shown frames' times.
        codec: FFmpeg's name of the decoder.
        pixels: width x height of a frame.
        pts: each shown frame's time in the stream's own unit, by which it is told apart; None where
            only the order of the frames tells.
        key_pts, key_dts: of the packets at which decoding may begin, in order.
        turn: how a player turns the frames.
        damage: why frames are missing behind `info.end_s`, or None.
        suits_decord: whether decord, too, reads all this rightly.
        opened: the file, if it was to be kept open and is small and whole.
    """

    info: VideoInfo
    codec: str
    pixels: int
    pts: Indices | None = field(repr=False)
    key_pts: Indices = field(repr=False)
    key_dts: Indices = field(repr=False)
    turn: Turn
    damage: str | None
    suits_decord: bool
    opened: Opened | None = field(repr=False)

    @property
    def keys(self) -> Indices:
        """The first frame that is shown at or behind each key frame; none where `pts` is None."""
        if self.pts is None:
            return np.array([], dtype=np.int64)
        return np.searchsorted(self.pts, self.key_pts).astype(np.int64)


@dataclass(frozen=True)
class _Packets:
    """Every packet of the stream in the order of decoding; the arrays are equally long."""

    pts: Indices
    dts: Indices
    duration: Indices
    is_key: NDArray[np.bool_]
    # Shown: neither cut off by an edit list nor a frame that is only referred to.
    is_shown: NDArray[np.bool_]
    # Whether no frame behind a key frame refers to one before it, as far as H.264 is concerned.
    begin_anew: bool
    damage: str | None
    # The packets themselves and the end's, where they were to be kept.
    kept: list[Any]


def probe(
    path: Path,
    limits: Limits,
    *,
    by_decoding: bool = False,
    keep: bool = False,
    allow: Allow = no_deadline,
) -> Track:
    """Read a file's packets.

    Args:
        path: the file.
        limits: checked before a frame is decoded.
        by_decoding: tell the shown frames by decoding all of them, whatever the packets say.
        keep: keep a small file open; the caller closes `Track.opened`.
        allow: told before each long step how many seconds it may take.

    Raises:
        RefusedError: not a video that can be read, or too large.
    """
    name = container_format(path)
    num_bytes = path.stat().st_size
    allow(seconds_to_scan(num_bytes))
    with reading(), ExitStack() as until_here:
        container = until_here.enter_context(open_container(path, name))
        stream = video_stream(container)
        codec = stream.codec_context
        limits.check_frame(codec.width, codec.height)
        packets = _scan(container, stream, keep=keep and num_bytes <= _KEPT_BYTES)
        opened = Opened(container, stream, packets.kept) if packets.kept else None
        turn = _turn_of_opened(opened) if opened else _turn(path, name)
        counted = by_decoding or name == "avi" or not _times_tell(packets)
        times, damage = _shown_times(packets), None
        if counted:
            allow(seconds_to_decode(len(packets.pts), codec.width * codec.height))
            times, damage = _decoded_times(path, name)
        if not len(times):
            raise RefusedError("no frame can be decoded (damaged or cut off)")
        keys = np.flatnonzero(packets.is_key & (packets.pts != _NO_TIME))
        keys = keys[np.argsort(packets.pts[keys], kind="stable")]
        track = Track(
            info=_info(np.sort(times), container, stream, packets),
            codec=codec.name,
            pixels=codec.width * codec.height,
            pts=times if bool((np.diff(times) > 0).all()) else None,
            key_pts=packets.pts[keys],
            key_dts=packets.dts[keys],
            turn=turn,
            damage=packets.damage or damage,
            suits_decord=not counted
            and packets.damage is None
            and turn == UPRIGHT
            and name in _DECORD_FORMATS
            and _suits_decord(container, codec.name, packets),
            opened=opened,
        )
        if opened:
            until_here.pop_all()
        return track


def _scan(container: Any, stream: Any, *, keep: bool) -> _Packets:
    """Read every packet; damage ends it."""
    numbers, kept = array("q"), list[Any]()
    damage = None
    codec = stream.codec_context
    hides = codec.name == "vp8"
    begin_anew = True
    try:
        for packet in container.demux(stream):
            if keep:
                kept.append(packet)
            if not packet.size:
                continue  # the end
            shown = not packet.is_discard and (not hides or _shows(packet))
            if packet.is_corrupt:
                damage, shown = "damaged or cut off", False
            if packet.is_keyframe and codec.name == "h264":
                begin_anew = begin_anew and _begins_anew(packet, codec.extradata)
            pts, dts = (_NO_TIME if time is None else time for time in (packet.pts, packet.dts))
            numbers.extend((pts, dts, packet.duration or 0, packet.is_keyframe, shown))
    except (av.error.FFmpegError, OSError):
        damage = "damaged or cut off"
    table = np.array(numbers, dtype=np.int64).reshape(-1, 5)
    # Where a file has an index, it says how many there should be.
    if container.format.name.startswith("mov") and len(stream.index_entries) > len(table):
        damage = "damaged or cut off"
    pts, dts, duration, is_key, is_shown = table.T
    flags = is_key.astype(bool), is_shown.astype(bool)
    return _Packets(pts, dts, duration, *flags, begin_anew, damage, [] if damage else kept)


def _shows(packet: Any) -> bool:
    """Whether a VP8 frame is shown; others are only referred to."""
    return bool(memoryview(packet)[0] & _SHOWN_VP8)


def _begins_anew(packet: Any, extradata: bytes | None) -> bool:
    """Whether an H.264 key frame in MP4 or Matroska is an IDR picture, not one of a recovery."""
    if not extradata or len(extradata) < 5 or extradata[0] != 1:
        return False  # no lengths before its units
    content, width, position = memoryview(packet), (extradata[4] & 3) + 1, 0
    while position + width < len(content):
        kind = content[position + width] & 31
        if kind in (_H264_SLICE, _H264_IDR):
            return kind == _H264_IDR
        position += width + int.from_bytes(content[position : position + width], "big")
    return False


def _shown_times(packets: _Packets) -> Indices:
    return np.sort(packets.pts[packets.is_shown])


def _times_tell(packets: _Packets) -> bool:
    """Whether every shown frame has a time of its own."""
    times = _shown_times(packets)
    return bool(len(times) and times[0] != _NO_TIME and (np.diff(times) > 0).all())


def _decoded_times(path: Path, name: str) -> tuple[Indices, str | None]:
    """The times of all frames in the order in which they are shown, and what is damaged."""
    times: list[int] = []
    damage = None
    with open_container(path, name) as container:
        try:
            for frame in container.decode(video_stream(container)):
                if frame.is_corrupt:
                    damage = "damaged or cut off"
                    break
                times.append(_NO_TIME if frame.pts is None else frame.pts)
        except (av.error.FFmpegError, OSError):
            damage = "damaged or cut off"
    return np.array(times, dtype=np.int64), damage


def _info(times: Indices, container: Any, stream: Any, packets: _Packets) -> VideoInfo:
    """Seconds of the container's clock; `times` rise in the stream's unit."""
    unit, rate = float(stream.time_base), float(stream.average_rate or 0)
    if len(np.unique(times)) < len(times) or times[0] == _NO_TIME:
        # No times at all: as many a second as the container says.
        seconds = np.arange(len(times) + 1, dtype=np.float64) / (rate or 30.0)
        return VideoInfo(seconds[:-1], float(seconds[-1]))
    starts = times.astype(np.float64) * unit
    last = packets.duration[packets.pts == times[-1]]
    length = float(last[0]) * unit if len(last) and last[0] > 0 else 0.0
    # AVI has no times: its decoder's delay is no part of what is shown.
    first = float(starts[0])
    origin = first if container.format.name == "avi" else _origin(container, first)
    # Some containers don't say how long the last frame lasts.
    end = float(starts[-1]) + max(length, 1 / rate if rate else 0.0)
    return VideoInfo(starts - origin, end - origin)


def _origin(container: Any, first_s: float) -> float:
    """When the container starts to play, where its first frame starts at `first_s`."""
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in container.streams
        if stream.type in ("audio", "video") and stream.start_time is not None
    ]
    # Sound before 0 is what its decoder needs to get going; it is not heard.
    return min(first_s, max(min(starts, default=first_s), 0.0))


def _turn(path: Path, name: str) -> Turn:
    """How the first frame that can be decoded is to be turned."""
    with open_container(path, name) as container:
        return turn_of_first(container.demux(video_stream(container)))


def _turn_of_opened(opened: Opened) -> Turn:
    turn = turn_of_first(opened.packets)
    opened.stream.codec_context.flush_buffers()
    return turn


def _suits_decord(container: Any, codec: str, packets: _Packets) -> bool:
    """Whether every packet is a frame that is shown, and the groups are closed: decord seeks."""
    return (
        codec in _DECORD_CODECS
        and container.duration is not None
        and len(container.streams.video) == 1
        and bool(packets.is_shown.all())
        and bool(packets.is_key[0])
        and packets.begin_anew
        and _groups_are_closed(packets)
    )


def _groups_are_closed(packets: _Packets) -> bool:
    """Whether no frame that comes behind a key frame is shown before it."""
    keys = np.flatnonzero(packets.is_key)
    earliest = np.minimum.reduceat(packets.pts, keys)
    return bool((earliest >= packets.pts[keys]).all())
