"""The clips of a narration table, cut by several processes and put into the table's order."""

import io
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eilev.clips.decoder import Decoder, Video
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
    """Clips of one video: their rows in the table, and their times in seconds."""

    path: str
    rows: tuple[int, ...]
    times_s: tuple[float, ...]


class Cutter:
    """Cuts the clips of jobs; runs in a worker's process."""

    def __init__(self, config: ClipsConfig) -> None:
        self._config = config
        # Jobs of one video follow one another: its packets are read once.
        self._video: tuple[str, Video] | None = None

    def __call__(self, job: Job, allow: Allow) -> Iterator[tuple[int, Cut]]:
        """Yield the clips' places in the job and what was cut, as they come."""
        config = self._config
        try:
            video = self._open(job.path, allow)
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

    def _open(self, path: str, allow: Allow) -> Video:
        if self._video is None or self._video[0] != path:
            limits = Limits(max_pixels=self._config.max_pixels)
            video = Video(Path(path), self._config.frame_size, limits, allow=allow)
            self._video = (path, video)
        return self._video[1]

    def _to_jpeg(self, frame: NDArray[np.uint8]) -> bytes:
        buffer = io.BytesIO()
        # Full colour resolution: halved, it blurs small objects away in small frames.
        quality = self._config.jpeg_quality
        Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling=0)
        return buffer.getvalue()


def cut_in_table_order(
    paths: Sequence[str], times_s: Sequence[float], config: ClipsConfig
) -> Iterator[Cut]:
    """Cut a clip for every row of a table.

    The result does not depend on the number of processes. Clips of a table that mixes videos wait
    in memory for theirs.
    """
    waiting: dict[int, Cut] = {}
    next_row = 0
    for job, cuts in _cut_all(_jobs(paths, times_s), config):
        waiting.update(zip(job.rows, cuts, strict=True))
        while next_row in waiting:
            yield waiting.pop(next_row)
            next_row += 1


def _jobs(paths: Sequence[str], times_s: Sequence[float]) -> list[Job]:
    """The work by video, in the order in which the videos appear."""
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        rows.setdefault(path, []).append(row)
    return [
        Job(path, part, tuple(float(times_s[row]) for row in part))
        for path, all_rows in rows.items()
        for part in _parts(all_rows)
    ]


def _parts(rows: Sequence[int]) -> list[tuple[int, ...]]:
    size = _CLIPS_PER_JOB
    return [tuple(rows[start : start + size]) for start in range(0, len(rows), size)]


def _cut_all(jobs: Sequence[Job], config: ClipsConfig) -> Iterator[tuple[Job, list[Cut]]]:
    """Results of all jobs in order, with a bounded number of them not yet yielded."""
    pool = WorkerPool(Cutter(config), min(config.processes, len(jobs)))
    threads = ThreadPoolExecutor(config.processes)
    waiting = iter(jobs)
    futures: deque[Future[tuple[Job, list[Cut]]]] = deque()
    try:
        futures.extend(
            threads.submit(_cut, job, pool) for job in islice(waiting, config.processes + 1)
        )
        while futures:
            yield futures.popleft().result()
            futures.extend(threads.submit(_cut, job, pool) for job in islice(waiting, 1))
    finally:
        for future in futures:
            future.cancel()
        pool.stop()
        threads.shutdown()


def _cut(job: Job, pool: WorkerPool[Job, tuple[int, Cut]]) -> tuple[Job, list[Cut]]:
    """Cut a job's clips; those that a crash or a hang cost have that for their reason."""
    cuts: dict[int, Cut] = {}
    reason = "not decoded"
    try:
        cuts.update(pool.ask(job))
    except ValueError as error:
        reason = str(error)
    lost = Cut(error=f"{job.path}: {reason}")
    return job, [cuts.get(place, lost) for place in range(len(job.rows))]
