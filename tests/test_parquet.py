"""Tables piece by piece."""

import pyarrow as pa

from eilev import schema
from eilev.parquet import read_batches, write_tables

ROWS = 200_000
PIECES = 20


def test_pieces_are_not_kept(tmp_path):
    path, allocated = tmp_path / "split.parquet", []
    rows = {"narration_id": [f"clip-{number:0100d}" for number in range(ROWS)]}
    table = pa.table(rows | {"split": ["train"] * ROWS}, schema.SPLIT)
    parts = (table.slice(start, ROWS // PIECES) for start in range(0, ROWS, ROWS // PIECES))
    write_tables(parts, schema.SPLIT, path)
    del table, rows
    before = pa.total_allocated_bytes()
    read = 0
    for piece in read_batches(path, schema.SPLIT, rows=ROWS // PIECES):
        read += len(piece)
        allocated.append(pa.total_allocated_bytes() - before)
    assert read == ROWS
    # All of it is 22 MB.
    assert max(allocated[5:]) < 2 * max(allocated[:5])
    assert max(allocated) < 6 << 20
