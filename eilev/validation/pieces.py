"""Tables of any number of rows, piece by piece."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eilev.parquet import BATCH_ROWS, read_batches


def read_pieces(
    path: Path, schema: pa.Schema, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """As `eilev.parquet.read_batches`, in memory that does not grow with the file.

    pyarrow reads ahead by default and keeps the bytes of all that it has read until the file is
    closed: half a gigabyte of the episodes of a million narrations.

    Raises:
        DataError: as `read_batches`.
    """
    names = list(columns or schema.names)
    checked = read_batches(path, schema, names)
    first = next(checked)
    checked.close()  # type: ignore[attr-defined]  # a generator
    if not len(first):
        yield first
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
            yield batch.select(names)
