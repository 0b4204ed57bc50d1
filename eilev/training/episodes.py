"""Episodes as a memory-mapped table.

A Parquet file is small and read from its beginning; training takes rows in any order. So the rows
are written once more, as Arrow has them in memory: any number of processes and of workers share
the file's pages, and none holds an episode as Python objects. A narration id, which every episode
has many of, is a number there, of the one dictionary of all of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from eilev.ids import Ids
from eilev.io import DataError, atomic_file
from eilev.parquet import read_batches
from eilev.schema import EPISODES

_ID = pa.dictionary(pa.int32(), pa.string())
_TYPES = {"query": _ID, "context": pa.list_(_ID)}
# schema.EPISODES, the narration ids as numbers.
_MAPPED = pa.schema([pa.field(f.name, _TYPES.get(f.name, f.type), f.nullable) for f in EPISODES])


def write_episodes(path: Path, ids: Ids, target: Path) -> None:
    """Write episodes as a file for `map_episodes`, piece by piece.

    Args:
        path: A Parquet file of schema.EPISODES.
        ids: Of all narrations.
        target: The file to write.

    Raises:
        DataError: the file can't be read, or an episode has a clip that is none of the narrations.
    """
    with atomic_file(target) as temporary, pa.ipc.new_file(str(temporary), _MAPPED) as writer:
        for batch in _encoded(path, ids):
            writer.write_batch(batch)


def map_episodes(target: Path) -> pa.Table:
    """Map what `write_episodes` wrote: rows of schema.EPISODES, none of them in memory yet."""
    return pa.ipc.open_file(pa.memory_map(str(target))).read_all()


def _encoded(path: Path, ids: Ids) -> Iterator[pa.RecordBatch]:
    for batch in read_batches(path, EPISODES):
        context = batch["context"]
        columns: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns["query"] = _numbered(batch["query"], ids, path)
        clips = _numbered(pc.list_flatten(context), ids, path)
        sizes = pc.cumulative_sum(pc.list_value_length(context))
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), sizes])
        columns["context"] = pa.ListArray.from_arrays(offsets, clips)
        yield pa.record_batch(list(columns.values()), schema=_MAPPED)


def _numbered(wanted: Any, ids: Ids, path: Path) -> Any:
    places = ids.find(wanted)
    if places.min(initial=0) < 0:
        unknown = wanted[int(places.argmin())]
        raise DataError(
            f"{path}: an episode shows the clip '{unknown}', which is none of the narrations; run"
            " the episodes stage again"
        )
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), ids.array)
