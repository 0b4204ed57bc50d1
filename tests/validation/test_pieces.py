"""Tables piece by piece."""

from pathlib import Path

import pyarrow as pa
import pytest

from eilev import schema
from eilev.io import DataError
from eilev.parquet import read_batches, write_tables
from eilev.validation.pieces import read_pieces


def test_the_pieces_are_those_of_read_batches(tmp_path: Path) -> None:
    path = tmp_path / "split.parquet"
    rows = [{"narration_id": f"clip-{i}", "split": "train"} for i in range(20_000)]
    for count in (20_000, 0):
        write_tables([pa.Table.from_pylist(rows[:count], schema.SPLIT)], schema.SPLIT, path)
        for columns in (None, ["split"]):
            found = [*read_pieces(path, schema.SPLIT, columns)]
            assert found == [*read_batches(path, schema.SPLIT, columns)]
    with pytest.raises(DataError, match="no such file"):
        next(read_pieces(tmp_path / "other.parquet", schema.SPLIT))
