"""Cuts the clips of a narration table, in processes that may crash."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eilev.clips.decoder import Decoder, Video
from eilev.clips.fetching import Fetched
from eilev.clips.limits import Allow, Limits, VideoError
from eilev.clips.process import WorkerPool
from eilev.config.clips import ClipsConfig

# What waits for its turn must fit in memory: 64 clips of 8 frames of 448 x 448 are about 40 MB.
_CLIPS_PER_JOB = 64


@dataclass(frozen=True)
class Cut:
    """The JPEGs of a clip's frames in order and who decoded them, or the reason for having none."""

    jpegs: tuple[bytes, ...] = ()
    decoder: Decoder | None = None
    error: str | None = None


@dataclass(frozen=True)
class Job:
    """Clips of one video: its path or address, their rows in the table, their times in seconds."""

    video: str
    rows: tuple[int, ...]
    times_s: tuple[float, ...]
    # Where the video lies on this machine.
    path: str = ""


class Cutter:
    """Cuts the clips of jobs; runs in a worker's process."""

    def __init__(self, config: ClipsConfig) -> None:
        self._config = config
        # Jobs of one video follow one another: its packets are read once.
        self._video: tuple[tuple[str, str], Video] | None = None

    def __call__(self, job: Job, allow: Allow) -> Iterator[tuple[int, Cut]]:
        """Yield the clips' places in the job and what was cut, as they come."""
        config = self._config
        try:
            video = self._open(job, allow)
        except VideoError as error:
            yield from ((place, Cut(error=str(error))) for place in range(len(job.rows)))
            return
        for place, clip in video.clips(
            job.times_s, config.window_s, config.num_frames, self._to_jpeg
        ):
            if isinstance(clip, VideoError):
                yield place, Cut(error=str(clip))
            else:
                yield place, Cut(tuple(clip), video.decoder)

    def _open(self, job: Job, allow: Allow) -> Video:
        # Copies of several videos may lie at one path, one after the other.
        key = (job.video, job.path)
        if self._video is None or self._video[0] != key:
            limits = Limits(max_pixels=self._config.max_pixels)
            size = self._config.frame_size
            video = Video(Path(job.path), size, limits, name=job.video, allow=allow)
            self._video = (key, video)
        return self._video[1]

    def _to_jpeg(self, frame: NDArray[np.uint8]) -> bytes:
        buffer = io.BytesIO()
        # Full colour resolution: halved, it blurs small objects away in small frames.
        quality = self._config.jpeg_quality
        Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling=0)
        return buffer.getvalue()


class CutterPool:
    """Processes that cut, and copies of remote videos, for as many threads."""

    def __init__(self, config: ClipsConfig, num_workers: int) -> None:
        self._workers = WorkerPool(Cutter(config), num_workers)
        self._fetched = Fetched(num_workers)

    def cut(self, job: Job) -> list[Cut]:
        """Cut a job's clips, in order; those that a crash or a hang cost have that for a reason.

        Raises:
            DataError: a remote video can't be downloaded.
        """
        cuts: dict[int, Cut] = {}
        reason = "no such file"
        with self._fetched.local(job.video) as path:
            try:
                if path is not None:
                    reason = "not decoded"
                    cuts.update(self._workers.ask(replace(job, path=path)))
            except ValueError as error:
                reason = str(error)
        lost = Cut(error=f"{job.video}: {reason}")
        return [cuts.get(place, lost) for place in range(len(job.rows))]

    def stop(self) -> None:
        """End the processes and remove the copies."""
        self._workers.stop()
        self._fetched.close()


def jobs_of(videos: Sequence[str], times_s: Sequence[float]) -> list[Job]:
    """The work by video, in the order in which the videos appear."""
    rows: dict[str, list[int]] = {}
    for row, video in enumerate(videos):
        rows.setdefault(video, []).append(row)
    return [
        Job(video, part, tuple(float(times_s[row]) for row in part))
        for video, all_rows in rows.items()
        for part in _parts(all_rows)
    ]


def _parts(rows: Sequence[int]) -> list[tuple[int, ...]]:
    size = _CLIPS_PER_JOB
    return [tuple(rows[start : start + size]) for start in range(0, len(rows), size)]
