"""Clips out of a video file: the one function behind which decord and PyAV read.

Which frames a clip has follows from what the container shows (container.py). decord reads clips
that lie apart, where the container is one that it reads rightly; PyAV reads everything else, and
clips that overlap in one pass. A file that damages or traps a decoder does so in the caller's
process: process.py has one that may be killed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from eilev.clips.container import Track, probe
from eilev.clips.decord_reader import DecordReader
from eilev.clips.frame_choice import (
    Frames,
    Indices,
    VideoInfo,
    uniform_indices,
    window_indices,
)
from eilev.clips.limits import (
    Allow,
    Limits,
    RefusedError,
    VideoError,
    no_deadline,
    seconds_to_decode,
)
from eilev.clips.pyav_reader import MiscountedError, PyavReader

_Result = TypeVar("_Result")
Decoder = Literal["decord", "pyav"]

# Frames in all clips for each frame in any of them: up to this, reading them one by one is cheap.
_OVERLAP = 1.25


class Video:
    """A video file out of which clips are cut; for one thread.

    Attributes:
        decoder: which decoder has read the last clips.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        limits: Limits | None = None,
        *,
        name: str | None = None,
        keep: bool = False,
        allow: Allow = no_deadline,
    ) -> None:
        """Read what the container says.

        Args:
            path: the file.
            size: frames are squashed to this width and height in pixels.
            limits: the largest video that is decoded.
            name: what messages call the file; its path by default.
            keep: keep a small file open, for one clip; PyAV then reads it.
            allow: told before each long step how many seconds it may take.

        Raises:
            VideoError: there is no such file, it can't be decoded, or its frames are too large.
        """
        self._path, self._size, self._limits = path, size, limits or Limits()
        self._name, self._allow = name or str(path), allow
        self.decoder: Decoder = "pyav"
        self._counted = False
        self._decord: DecordReader | None = None
        with self._named():
            self._track: Track = probe(path, self._limits, keep=keep, allow=allow)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._track.opened is not None:
            self._track.opened.close()

    @property
    def info(self) -> VideoInfo:
        """When which frame is shown."""
        return self._track.info

    def clip(self, time_s: float | None, window_s: float, num_frames: int) -> Frames:
        """Cut one clip; see `clips`.

        Returns:
            uint8 array (num_frames, size, size, 3).

        Raises:
            VideoError: the clip lies outside of the video, is too long or can't be decoded.
        """
        ((_, frames),) = self.clips([time_s], window_s, num_frames, _as_it_is)
        if isinstance(frames, VideoError):
            raise frames
        return np.stack(frames)

    def clips(
        self,
        times_s: Sequence[float | None],
        window_s: float,
        num_frames: int,
        encode: Callable[[NDArray[np.uint8]], _Result],
    ) -> Iterator[tuple[int, list[_Result] | VideoError]]:
        """Cut clips, in the order in which they can be read.

        Args:
            times_s: what each clip is centred on, in seconds; None is the whole file.
            window_s: seconds of video that belong to a time.
            num_frames: frames of each clip, taken uniformly.
            encode: what is kept of a frame, uint8 (size, size, 3).

        Yields:
            The clip's place in `times_s`, and what is kept of its frames or why there is none.
        """
        missing = dict(enumerate(times_s))
        while missing:
            try:
                for place, clip in self._read(missing, window_s, num_frames, encode):
                    del missing[place]
                    yield place, clip
            except MiscountedError:
                try:
                    self._count()
                except VideoError as error:
                    yield from ((place, error) for place in missing)
                    return

    def _read(
        self,
        times_s: dict[int, float | None],
        window_s: float,
        num_frames: int,
        encode: Callable[[NDArray[np.uint8]], _Result],
    ) -> Iterator[tuple[int, list[_Result] | VideoError]]:
        chosen: dict[int, Indices] = {}
        for place, time_s in list(times_s.items()):
            try:
                with self._named():
                    chosen[place] = self._choose(time_s, window_s, num_frames)
            except VideoError as error:
                yield place, error
        places, clips = list(chosen), list(chosen.values())
        seconds = seconds_to_decode(_most_frames(clips, self._track), self._track.pixels)
        self._allow(seconds)
        for number, clip in self._read_frames(clips, encode):
            if isinstance(clip, RefusedError):
                yield places[number], VideoError(f"{self._name}: {clip}")
            else:
                yield places[number], clip
            self._allow(seconds)

    def _read_frames(
        self, clips: Sequence[Indices], encode: Callable[[NDArray[np.uint8]], _Result]
    ) -> Iterator[tuple[int, list[_Result] | RefusedError]]:
        """Read clips by the decoder that suits them; PyAV tries what decord can't read."""
        left = list(range(len(clips)))
        if self._track.suits_decord and self._track.opened is None and not _overlap(clips):
            self.decoder, left = "decord", []
            self._decord = self._decord or DecordReader(self._path, self._size)
            for place, clip in self._decord.read(clips, encode):
                if isinstance(clip, RefusedError):
                    left.append(place)
                else:
                    yield place, clip
        if left:
            self.decoder = "pyav"
            with PyavReader(self._path, self._size, self._track) as reader:
                for number, clip in reader.read([clips[place] for place in left], encode):
                    yield left[number], clip

    def _choose(self, time_s: float | None, window_s: float, num_frames: int) -> Indices:
        """The numbers of a clip's frames; RefusedError says why there are none."""
        info, damage = self.info, self._track.damage
        if time_s is None:
            self._limits.check_length(info.duration_s, info.num_frames)
            if damage:
                raise RefusedError(damage)
            return uniform_indices(info.num_frames, num_frames)
        if damage and max(time_s - window_s / 2, info.start_s) + window_s > info.end_s:
            raise RefusedError(f"{damage} at {info.end_s:.3f} s")
        try:
            return window_indices(time_s, window_s, num_frames, info)
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def _count(self) -> None:
        """Where the packets mislead (fields in packets of their own, say): see what is decoded."""
        with self._named():
            if self._counted:
                raise RefusedError("it shows other frames at every reading")
            self._counted = True
            self._close()
            self._track = probe(self._path, self._limits, by_decoding=True, allow=self._allow)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Add the file's name to the reason for which it is refused."""
        try:
            yield
        except RefusedError as error:
            raise error.kind(f"{self._name}: {error}") from error


def read_clip(
    source: Path | bytes, num_frames: int, size: int, limits: Limits | None = None
) -> Frames:
    """Decode frames taken uniformly from a whole video, such as one that a client sends.

    Returns:
        uint8 array (num_frames, size, size, 3).

    Raises:
        VideoError: the video can't be decoded or exceeds a limit.
    """
    if isinstance(source, Path):
        with Video(source, size, limits, keep=True) as video:
            return video.clip(None, 0.0, num_frames)
    # A file without a name, in memory: it goes with this process, however that ends.
    with os.fdopen(os.memfd_create("video"), "wb") as file:
        file.write(source)
        file.flush()
        path = Path(f"/proc/self/fd/{file.fileno()}")
        with Video(path, size, limits, name="the video", keep=True) as video:
            return video.clip(None, 0.0, num_frames)


def _as_it_is(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return frame


def _overlap(clips: Sequence[Indices]) -> bool:
    """Whether reading clip by clip would decode much of the video several times."""
    if not clips:
        return False
    spans = sorted((int(clip[0]), int(clip[-1]) + 1) for clip in clips)
    covered, position = 0, 0
    for start, end in spans:
        covered += max(end - max(start, position), 0)
        position = max(position, end)
    return sum(end - start for start, end in spans) > _OVERLAP * covered


def _most_frames(clips: Sequence[Indices], track: Track) -> int:
    """Frames that are decoded for a clip, from the key frame before it to its end."""
    keys = np.concatenate([[0], track.keys])
    starts = [keys[np.searchsorted(keys, clip[0], side="right") - 1] for clip in clips]
    return max(
        (int(clip[-1] - start) for clip, start in zip(clips, starts, strict=True)), default=0
    )
