"""Episodes from a Parquet file to a memory-mapped table."""

import pyarrow as pa
import pytest

from eilev.ids import Ids
from eilev.io import DataError
from eilev.parquet import write_tables
from eilev.schema import EPISODES
from eilev.training.episodes import map_episodes, write_episodes
from tests.kitchen import make_kitchen


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


def test_a_mapped_table_has_the_same_rows_and_takes_no_memory(kitchen, tmp_path):
    table = kitchen.tables["train"]
    # Pieces that end inside of the pieces that are read.
    write_tables([table.slice(0, 50), table.slice(50)], EPISODES, tmp_path / "train.parquet")
    ids = Ids(kitchen.narrations["narration_id"])
    write_episodes(tmp_path / "train.parquet", ids, tmp_path / "train.arrow")
    before = pa.total_allocated_bytes()
    mapped = map_episodes(tmp_path / "train.arrow")
    assert pa.total_allocated_bytes() - before < mapped.get_total_buffer_size() / 10
    assert mapped.to_pylist() == table.to_pylist()


def test_no_episodes(kitchen, tmp_path):
    write_tables([], EPISODES, tmp_path / "val.parquet")
    ids = Ids(kitchen.narrations["narration_id"])
    write_episodes(tmp_path / "val.parquet", ids, tmp_path / "val.arrow")
    assert len(map_episodes(tmp_path / "val.arrow")) == 0


@pytest.mark.parametrize("column", ["query", "context"])
def test_an_unknown_clip_is_named(column, kitchen, tmp_path):
    rows = kitchen.tables["train"].slice(0, 3).to_pylist()
    rows[1][column] = "nobody" if column == "query" else ["nobody", *rows[1]["context"][1:]]
    table = pa.Table.from_pylist(rows, schema=EPISODES)
    write_tables([table], EPISODES, tmp_path / "train.parquet")
    ids = Ids(kitchen.narrations["narration_id"])
    with pytest.raises(DataError, match=r"train\.parquet: an episode shows the clip 'nobody'"):
        write_episodes(tmp_path / "train.parquet", ids, tmp_path / "train.arrow")
    assert not list(tmp_path.glob("*.arrow*"))
