"""Tables as Parquet files: their columns checked on the way in and out."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from eilev.io import DataError, atomic_file

# Rows that are read at once: 16,384 episodes of 16 shots take some 50 MB as Python objects.
BATCH_ROWS = 1 << 14


def text_array(column: pd.Series) -> "pa.StringArray":
    """A column of texts as one Arrow array.

    Columns of large tables come in several chunks (of 131,072 rows, as Parquet is read), which
    `pa.array` keeps apart and Arrow's constructors of nested arrays do not take.
    """
    array: Any = pa.array(column, pa.string())
    whole: pa.StringArray = array.combine_chunks() if hasattr(array, "chunks") else array
    return whole


def write_table(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Write `frame` as Parquet with the columns of `schema`; equal input gives equal bytes.

    Raises:
        DataError: a column is missing, has another type, or has nulls where none may be.
    """
    try:
        table = pa.Table.from_pandas(
            frame[list(schema.names)], schema=schema, preserve_index=False
        ).replace_schema_metadata(None)
    except (KeyError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{path}: rows do not fit the table's schema: {error}") from error
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise DataError(f"{path}: column '{field.name}' has empty values")
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary)


def write_tables(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Write tables of one schema as one Parquet file, each as it comes.

    Raises:
        DataError: a column has nulls where none may be.
    """
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for table in tables:
            for field in schema:
                if not field.nullable and table[field.name].null_count:
                    raise DataError(f"{path}: column '{field.name}' has empty values")
            writer.write_table(table)


def read_table(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a Parquet file and check that it has the columns of `schema`.

    Raises:
        DataError: the file is missing, is no Parquet file, or lacks a column or has another type.
    """
    with _open(path, schema) as file:
        return file.read(schema.names).select(schema.names).to_pandas()


def read_batches(
    path: Path, schema: pa.Schema, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Read a Parquet file piece by piece, so that its size does not matter; one piece at least.

    Args:
        path: What `write_tables` wrote.
        schema: Its columns.
        columns: Those that are wanted, in their order; all of them where there are none.
        rows: The most of a piece.

    Raises:
        DataError: as `read_table`, before the first piece.
    """
    names = list(columns or schema.names)
    with _open(path, schema) as file:
        if not file.metadata.num_rows:
            yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow).select(names)
        # Columns of one file are decoded by one thread: it is not ahead of who takes the pieces.
        for batch in file.iter_batches(rows, columns=names, use_threads=False):
            yield batch.select(names)


def hold(pieces: Iterable[pa.RecordBatch], few: Collection[str]) -> pd.DataFrame:
    """Hold rows of pieces, at least one, in little memory.

    Args:
        pieces: Rows of one schema, such as `read_batches` reads.
        few: Columns of few different texts, which become pandas' categories.
    """
    return pa.Table.from_batches(_numbered(piece, few) for piece in pieces).to_pandas()


def _numbered(piece: pa.RecordBatch, few: Collection[str]) -> pa.RecordBatch:
    columns = zip(piece.schema.names, piece.columns, strict=True)
    held = {name: c.dictionary_encode() if name in few else c for name, c in columns}
    return pa.RecordBatch.from_pydict(held)


def _open(path: Path, schema: pa.Schema) -> pq.ParquetFile:
    try:
        # What pyarrow reads ahead it would keep until the file is closed: half a gigabyte of the
        # episodes of a million narrations.
        file = pq.ParquetFile(path, pre_buffer=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the stage that writes it") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error
    for field in schema:
        if field.name not in file.schema_arrow.names:
            raise DataError(f"{path}: column '{field.name}' is missing")
        found = file.schema_arrow.field(field.name).type
        if not found.equals(field.type):
            raise DataError(f"{path}: column '{field.name}' is {found}, expected {field.type}")
    return file
