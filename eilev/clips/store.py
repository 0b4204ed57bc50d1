"""The frames of every clip, decoded once: JPEGs in memory-mapped Arrow shards.

`clips-00000.arrow`, ... hold the clips that could be decoded, in the order of the narration table
(schema.CLIPS_SHARD); `index.parquet` says for every narration where its clip lies and which decoder
read it, or why it has none (schema.CLIPS_INDEX).
"""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from eilev import schema
from eilev.clips.frame_choice import Frames
from eilev.io import DataError
from eilev.parquet import read_table

INDEX = "index.parquet"

# Rows that a random access maps at once; every batch of a shard but the last one has as many.
ROWS_PER_BATCH = 64


class ClipStore:
    """Random access to the clips in a folder that `writing.write_clips` wrote.

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
        batch = self._shard(shard).get_batch(row // ROWS_PER_BATCH)
        jpegs = batch.column("frames")[row % ROWS_PER_BATCH]
        return np.stack([_from_jpeg(jpeg.as_buffer()) for jpeg in jpegs])

    def _shard(self, name: str) -> pa.ipc.RecordBatchFileReader:
        if name not in self._shards:
            path = self._folder / name
            try:
                self._shards[name] = pa.ipc.open_file(pa.memory_map(str(path)))
            except (pa.ArrowInvalid, OSError) as error:
                raise DataError(f"{path}: not a readable Arrow file: {error}") from error
        return self._shards[name]


def _from_jpeg(jpeg: pa.Buffer) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)))
