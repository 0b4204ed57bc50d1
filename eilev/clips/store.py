"""The frames of every clip, decoded once: JPEGs in memory-mapped Arrow shards.

`clips-00000.arrow`, ... hold the clips that could be decoded, in the order of the narration table
(schema.CLIPS_SHARD); `index.parquet` says for every narration where its clip lies and which decoder
read it, or why it has none (schema.CLIPS_INDEX).
"""

import io
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image

from eilev import schema
from eilev.clips.frame_choice import Frames
from eilev.ids import Ids
from eilev.io import DataError
from eilev.parquet import hold, read_batches

INDEX = "index.parquet"

# Rows that a random access maps at once; every batch of a shard but the last one has as many.
ROWS_PER_BATCH = 64


class ClipStore:
    """Random access to the clips in a folder that `writing.write_clips` wrote.

    Shards are memory-mapped at first use, so a store is cheap to open, to pickle and to fork.

    """

    def __init__(self, folder: Path) -> None:
        """Read the index.

        Raises:
            DataError: the index or a shard is missing or unreadable.
        """
        self._folder = folder
        pieces = read_batches(folder / INDEX, schema.CLIPS_INDEX, ("narration_id", "shard", "row"))
        index = hold((piece.filter(pc.is_valid(piece["shard"])) for piece in pieces), ["shard"])
        self._ids = Ids(index["narration_id"])
        self._shard_of, self._names = pd.factorize(index["shard"])
        self._row_of = index["row"].to_numpy(np.int32)
        self._shards: dict[str, pa.ipc.RecordBatchFileReader] = {}
        for name in self._names:
            if not (folder / name).is_file():
                raise DataError(f"{folder / name}: no such file; run the clips stage again")

    def __reduce__(self) -> tuple[type["ClipStore"], tuple[Path]]:
        return ClipStore, (self._folder,)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Narration ids that have a clip, in the order of the narration table."""
        return tuple(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, narration_id: object) -> bool:
        return narration_id in self._ids

    def __getitem__(self, narration_id: str) -> Frames:
        """Frames of a clip, uint8 (num_frames, size, size, 3).

        Raises:
            KeyError: the narration has no clip (the index says why) or does not exist.
        """
        return np.stack([_from_jpeg(jpeg.as_buffer()) for jpeg in self._stored(narration_id)])

    def _stored(self, narration_id: str) -> Any:
        """The frames of a clip as they lie there: JPEGs, a list scalar of Arrow."""
        place = self._ids.place(narration_id)
        if place < 0:
            raise KeyError(narration_id)
        row = int(self._row_of[place])
        batch = self._shard(self._names[self._shard_of[place]]).get_batch(row // ROWS_PER_BATCH)
        return batch.column("frames")[row % ROWS_PER_BATCH]

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
