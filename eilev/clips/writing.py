"""Writes the clips of a narration table into shards; a stopped run goes on at its last shard."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from eilev import schema
from eilev.clips.execution import cut_in_table_order
from eilev.clips.resumption import Place, Unfinished, shard_name
from eilev.clips.store import INDEX, ROWS_PER_BATCH
from eilev.config.clips import ClipsConfig
from eilev.io import DataError, fingerprint
from eilev.parquet import write_table
from eilev.remote import find_file, is_remote


def write_clips(
    narrations: pd.DataFrame, config: ClipsConfig, out_dir: Path, code: Sequence[Path] = ()
) -> pd.DataFrame:
    """Decode the clip of every narration (schema.NARRATIONS) and write them to `out_dir`.

    A video that can't be decoded costs its own clips only. The result does not depend on where and
    in how many processes, nor on whether a run was stopped; `out_dir` is replaced only on success.

    Args:
        narrations: the table.
        config: which frames, how large, and how they are stored.
        out_dir: the folder.
        code: files on which the result depends; shards of a stopped run are kept where they agree.

    Returns:
        The index (schema.CLIPS_INDEX), in the order of `narrations`.

    Raises:
        DataError: no clip at all could be decoded, or a remote video can't be read.
        OSError: the disk is full, or the cluster can't go on.
    """
    unfinished = Unfinished(out_dir, _made_from(narrations, config, code))
    places = _write_shards(narrations, config, unfinished)
    index = pd.DataFrame(
        places, columns=["shard", "row", "num_frames", "decoder", "error"], dtype=object
    )
    index.insert(0, "narration_id", narrations["narration_id"].to_numpy())
    index.insert(1, "video_id", narrations["video_id"].to_numpy())
    if index["shard"].isna().all():
        unfinished.discard()
        raise DataError(_nothing_decoded(index["error"]))
    write_table(index, schema.CLIPS_INDEX, unfinished.folder / INDEX)
    unfinished.publish()
    return index


def _write_shards(
    narrations: pd.DataFrame, config: ClipsConfig, unfinished: Unfinished
) -> list[Place]:
    """Decode and write what is not finished; returns where every narration's clip is."""
    done = len(unfinished.places)
    rest = narrations.iloc[done:]
    cuts = cut_in_table_order(rest["video_path"].tolist(), rest["timestamp_s"].tolist(), config)
    progress = tqdm(cuts, "clips", len(narrations), initial=done, unit="clip")
    writer = ShardWriter(unfinished.folder, unfinished.num_shards)
    places: list[Place] = []
    for narration_id, cut in zip(rest["narration_id"], progress, strict=True):
        if cut.error is not None:
            places.append((None, None, 0, None, cut.error))
            continue
        row = writer.add(str(narration_id), cut.jpegs)
        places.append((writer.name, row, len(cut.jpegs), cut.decoder, None))
        if row + 1 == config.shard_size:
            writer.close()
            unfinished.finish(writer.name, places)
            writer, places = ShardWriter(unfinished.folder, unfinished.num_shards), []
    writer.close()
    return unfinished.places + places


class ShardWriter:
    """Writes clips into one shard; the file appears with the first one."""

    def __init__(self, folder: Path, number: int) -> None:
        self.name = shard_name(number)
        self._path = folder / self.name
        self._num_clips = 0
        self._pending: list[tuple[str, Sequence[bytes]]] = []
        self._file: pa.ipc.RecordBatchFileWriter | None = None

    def add(self, narration_id: str, jpegs: Sequence[bytes]) -> int:
        """Write a clip; returns its row."""
        if self._file is None:
            self._file = pa.ipc.new_file(str(self._path), schema.CLIPS_SHARD)
        self._pending.append((narration_id, jpegs))
        if len(self._pending) == ROWS_PER_BATCH:
            self._flush(self._file)
        self._num_clips += 1
        return self._num_clips - 1

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            self._flush(self._file)
            self._file.close()

    def _flush(self, file: pa.ipc.RecordBatchFileWriter) -> None:
        if self._pending:
            columns = zip(*self._pending, strict=True)
            arrays = [
                pa.array(list(values), type=field.type)
                for values, field in zip(columns, schema.CLIPS_SHARD, strict=True)
            ]
            file.write_batch(pa.record_batch(arrays, schema=schema.CLIPS_SHARD))
            self._pending.clear()


def _made_from(
    narrations: pd.DataFrame, config: ClipsConfig, code: Sequence[Path]
) -> Callable[[int, int], str]:
    """The fingerprint of everything that the clips of some rows depend on."""
    settings = config.model_dump(exclude=set(config.FREE))
    columns = narrations[["narration_id", "video_path", "timestamp_s"]]

    def made_from(start: int, end: int) -> str:
        rows = columns.iloc[start:end]
        videos = {path: _version(path) for path in rows["video_path"].unique()}
        asked = {"clips": settings, "rows": rows.to_numpy().tolist(), "videos": videos}
        return fingerprint(asked, code)

    return made_from


def _version(video: str) -> tuple[int, int | str] | None:
    """Length, and time or tag, of a file without reading it; None where there is none."""
    if is_remote(video):
        remote = find_file(video)
        return None if remote is None else (remote.size, remote.etag)
    try:
        found = Path(video).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _nothing_decoded(errors: pd.Series) -> str:
    if errors.empty:
        return "there are no narrations to decode clips for; see data/ingest"
    (reason, count), *others = Counter(errors).most_common()
    more = f" and {len(others)} other reasons" if others else ""
    return f"none of the {len(errors)} clips could be decoded: {count} for {reason}{more}"
