"""Rows of a table, and ids that are unique, of any number in little memory.

Both lie in files without a name in the folder for temporary files, which are gone with the process.
"""

import mmap
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from eilev.io import naming_the_full

# A row of a table, in the order of its columns.
Row = tuple[Any, ...]

# Rows that are held as Python objects before they become columns.
_ROWS_PER_BATCH = 20_000


class Rows:
    """Rows that are written batch by batch, to be read as one table.

    Args:
        columns: theirs.
    """

    def __init__(self, columns: pa.Schema) -> None:
        self._schema = columns
        self._rows: list[Row] = []
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # __exit__ closes it
        self._writer = pa.ipc.new_stream(self._file, columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # What a full disk keeps of the last rows from it has been said.
        with suppress(OSError):
            self._file.close()

    def add(self, row: Row) -> None:
        """Add a row.

        Raises:
            OSError: the disk is full.
        """
        self._rows.append(row)
        if len(self._rows) == _ROWS_PER_BATCH:
            self._write()

    def table(self) -> pa.Table:
        """All rows, to which none is added any more.

        Their memory is pages of the file, which the kernel takes back where memory is short, and
        which live as long as the table.

        Raises:
            OSError: the disk is full.
        """
        if self._rows:
            self._write()
        with naming_the_full(Path(tempfile.gettempdir())):
            self._writer.close()
            self._file.flush()
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()

    def _write(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        with naming_the_full(Path(tempfile.gettempdir())):
            self._writer.write_table(pa.table(arrays, schema=self._schema))
        self._rows.clear()


class UniqueIds:
    """Ids of which each counts once: a table of SQLite, which holds 2 MB of it in memory."""

    def __init__(self) -> None:
        self._ids = sqlite3.connect("")
        # Nothing is undone.
        self._ids.execute("PRAGMA journal_mode = OFF")
        self._ids.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ids.close()

    def add(self, name: str) -> bool:
        """Add an id; whether it was not there yet.

        Raises:
            OSError: the disk is full.
        """
        try:
            return self._ids.execute("INSERT OR IGNORE INTO ids VALUES (?)", [name]).rowcount == 1
        except sqlite3.OperationalError as error:
            place = "the folder for temporary files (TMPDIR, else /var/tmp)"
            raise OSError(f"{place}: {error}; the ids of the narrations are kept there") from error
