"""The frames of every clip, decoded once: JPEGs in memory-mapped Arrow shards.

`clips-00000.arrow`, ... hold the clips that could be decoded, in the order of the narration table
(schema.CLIPS_SHARD); `index.parquet` says for every narration where its clip lies or why it has
none (schema.CLIPS_INDEX).
"""

import io
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from eilev import schema
from eilev.clips.decoder import Video
from eilev.clips.frame_choice import Frames, window_indices
from eilev.config.clips import ClipsConfig
from eilev.io import DataError, atomic_dir
from eilev.parquet import read_table, write_table

INDEX = "index.parquet"

# A worker's answer must fit in memory: 256 clips of 8 frames of 448 x 448 are about 100 MB.
_CLIPS_PER_JOB = 256
# Rows that a random access maps at once; every batch of a shard but the last one has as many.
_ROWS_PER_BATCH = 64
_JOBS_IN_FLIGHT_PER_PROCESS = 2

# The JPEGs of a clip's frames in order, or the reason why there are none.
_Clip = list[bytes] | str


@dataclass(frozen=True)
class _Job:
    """Clips of one video: their rows in the narration table, and their times in seconds."""

    path: str
    rows: tuple[int, ...]
    timestamps_s: tuple[float, ...]
    config: ClipsConfig


def write_clips(narrations: pd.DataFrame, config: ClipsConfig, out_dir: Path) -> pd.DataFrame:
    """Decode the clip of every narration (schema.NARRATIONS) and write them to `out_dir`.

    A video that can't be decoded costs its own clips only. The result does not depend on the number
    of processes; `out_dir` is replaced only on success.

    Returns:
        The index (schema.CLIPS_INDEX), in the order of `narrations`.

    Raises:
        DataError: no clip at all could be decoded.
    """
    with atomic_dir(out_dir) as folder:
        writer = _ShardWriter(folder, config.shard_size)
        clips = _decode_in_table_order(narrations, config)
        places = [
            (None, None, 0, clip)
            if isinstance(clip, str)
            else (*writer.add(str(narration_id), clip), len(clip), None)
            for narration_id, clip in zip(narrations["narration_id"], clips, strict=True)
        ]
        writer.close()
        index = pd.DataFrame(places, columns=["shard", "row", "num_frames", "error"], dtype=object)
        index.insert(0, "narration_id", narrations["narration_id"].to_numpy())
        index.insert(1, "video_id", narrations["video_id"].to_numpy())
        if index["shard"].isna().all():
            raise DataError(_nothing_decoded(index["error"]))
        write_table(index, schema.CLIPS_INDEX, folder / INDEX)
    return index


class ClipStore:
    """Random access to the clips in a folder that `write_clips` wrote.

    Shards are memory-mapped at first use, so a store is cheap to open, to pickle and to fork.

    Attributes:
        ids: narration ids that have a clip, in the order of the narration table.
    """

    def __init__(self, folder: Path) -> None:
        """Read the index.

        Raises:
            DataError: the index or a shard is missing or unreadable.
        """
        self._folder = folder
        index = read_table(folder / INDEX, schema.CLIPS_INDEX)
        index = index[index["shard"].notna()]
        self.ids: tuple[str, ...] = tuple(index["narration_id"])
        shards, rows = index["shard"], index["row"].astype(int)
        self._places = dict(zip(self.ids, zip(shards, rows, strict=True), strict=True))
        self._shards: dict[str, pa.ipc.RecordBatchFileReader] = {}
        for name in shards.unique():
            if not (folder / name).is_file():
                raise DataError(f"{folder / name}: no such file; run the clips stage again")

    def __reduce__(self) -> tuple[type["ClipStore"], tuple[Path]]:
        return ClipStore, (self._folder,)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, narration_id: object) -> bool:
        return narration_id in self._places

    def __getitem__(self, narration_id: str) -> Frames:
        """Frames of a clip, uint8 (num_frames, size, size, 3).

        Raises:
            KeyError: the narration has no clip (the index says why) or does not exist.
        """
        shard, row = self._places[narration_id]
        batch = self._shard(shard).get_batch(row // _ROWS_PER_BATCH)
        jpegs = batch.column("frames")[row % _ROWS_PER_BATCH]
        return np.stack([_from_jpeg(jpeg.as_buffer()) for jpeg in jpegs])

    def _shard(self, name: str) -> pa.ipc.RecordBatchFileReader:
        if name not in self._shards:
            path = self._folder / name
            try:
                self._shards[name] = pa.ipc.open_file(pa.memory_map(str(path)))
            except (pa.ArrowInvalid, OSError) as error:
                raise DataError(f"{path}: not a readable Arrow file: {error}") from error
        return self._shards[name]


class _ShardWriter:
    """Writes clips one after the other, `shard_size` to a file."""

    def __init__(self, folder: Path, shard_size: int) -> None:
        self._folder, self._shard_size = folder, shard_size
        self._num_clips = 0
        self._pending: list[tuple[str, list[bytes]]] = []
        self._file: pa.ipc.RecordBatchFileWriter | None = None

    def add(self, narration_id: str, jpegs: list[bytes]) -> tuple[str, int]:
        """Write a clip; returns its shard's file name and its row there."""
        number, row = divmod(self._num_clips, self._shard_size)
        name = f"clips-{number:05d}.arrow"
        if row == 0:
            self.close()
            self._file = pa.ipc.new_file(str(self._folder / name), schema.CLIPS_SHARD)
        self._num_clips += 1
        self._pending.append((narration_id, jpegs))
        if len(self._pending) == _ROWS_PER_BATCH:
            self._flush()
        return name, row

    def close(self) -> None:
        if self._file is not None:
            self._flush()
            self._file.close()

    def _flush(self) -> None:
        if self._pending and self._file is not None:
            columns = zip(*self._pending, strict=True)
            arrays = [
                pa.array(list(values), type=field.type)
                for values, field in zip(columns, schema.CLIPS_SHARD, strict=True)
            ]
            self._file.write_batch(pa.record_batch(arrays, schema=schema.CLIPS_SHARD))
            self._pending.clear()


def _decode_in_table_order(narrations: pd.DataFrame, config: ClipsConfig) -> Iterator[_Clip]:
    """Clips in the table's order; those of a table that mixes videos wait in memory for theirs."""
    jobs = _jobs(narrations, config)
    waiting: dict[int, _Clip] = {}
    next_row = 0
    with tqdm(total=len(narrations), desc="clips", unit="clip") as progress:
        for job, clips in zip(jobs, _decode_all(jobs, config.processes), strict=True):
            waiting.update(zip(job.rows, clips, strict=True))
            progress.update(len(clips))
            while next_row in waiting:
                yield waiting.pop(next_row)
                next_row += 1


def _jobs(narrations: pd.DataFrame, config: ClipsConfig) -> list[_Job]:
    """The work by video, in the order in which the videos appear."""
    jobs = []
    table = narrations.reset_index(drop=True)
    for path, group in table.groupby("video_path", sort=False):
        for start in range(0, len(group), _CLIPS_PER_JOB):
            part = group.iloc[start : start + _CLIPS_PER_JOB]
            jobs.append(_Job(str(path), tuple(part.index), tuple(part["timestamp_s"]), config))
    return jobs


def _decode_all(jobs: Sequence[_Job], processes: int) -> Iterator[list[_Clip]]:
    """Results of all jobs in order, whatever a decoder does to its process."""
    context = multiprocessing.get_context("spawn")  # decord does not survive a fork.
    in_flight = _JOBS_IN_FLIGHT_PER_PROCESS * processes
    done = 0
    while done < len(jobs):
        try:
            with ProcessPoolExecutor(processes, mp_context=context) as pool:
                for clips in _submit_in_order(pool, jobs[done:], in_flight):
                    yield clips
                    done += 1
        except BrokenProcessPool:
            # One of the jobs in flight killed its process: each gets a process of its own.
            for job in jobs[done : done + in_flight]:
                yield _decode_alone(job, context)
                done += 1


def _submit_in_order(
    pool: ProcessPoolExecutor, jobs: Sequence[_Job], in_flight: int
) -> Iterator[list[_Clip]]:
    """Results in order, with a bounded number of jobs submitted and not yet yielded."""
    waiting = iter(jobs)
    futures: deque[Future[list[_Clip]]] = deque()
    futures.extend(pool.submit(_decode, job) for job in islice(waiting, in_flight))
    while futures:
        yield futures.popleft().result()
        futures.extend(pool.submit(_decode, job) for job in islice(waiting, 1))


def _decode_alone(job: _Job, context: multiprocessing.context.SpawnContext) -> list[_Clip]:
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(_decode, job).result()
    except BrokenProcessPool:
        return [f"{job.path}: damaged (it crashes the decoder)"] * len(job.rows)


def _decode(job: _Job) -> list[_Clip]:
    """Decode the clips of one video; runs in a worker process."""
    try:
        video = Video(Path(job.path), job.config.frame_size)
    except (ValueError, OSError) as error:
        return [str(error)] * len(job.rows)
    return [_decode_clip(video, job, timestamp) for timestamp in job.timestamps_s]


def _decode_clip(video: Video, job: _Job, timestamp_s: float) -> _Clip:
    config = job.config
    try:
        indices = window_indices(timestamp_s, config.window_s, config.num_frames, video.info)
    except ValueError as error:
        return f"{job.path}: {error}"
    try:
        return [_to_jpeg(frame, config.jpeg_quality) for frame in video.frames(indices)]
    except (ValueError, OSError) as error:
        return str(error)


def _to_jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    # Full colour resolution: halved, it blurs small objects away in small frames.
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _from_jpeg(jpeg: pa.Buffer) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def _nothing_decoded(errors: pd.Series) -> str:
    if errors.empty:
        return "there are no narrations to decode clips for; see data/ingest"
    (reason, count), *others = Counter(errors).most_common()
    more = f" and {len(others)} other reasons" if others else ""
    return f"none of the {len(errors)} clips could be decoded: {count} for {reason}{more}"
