"""A folder of episodes with its clips, and a model whose answers depend on them."""

from pathlib import Path

import pytest

from eilev import paths, schema
from eilev.io import write_json
from eilev.parquet import write_table
from tests.kitchen import Kitchen, make_kitchen, write_shard


@pytest.fixture(scope="session")
def kitchen() -> Kitchen:
    return make_kitchen()


@pytest.fixture(scope="session")
def data(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder data of a pipeline that has drawn its episodes."""
    root = tmp_path_factory.mktemp("probed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_table(kitchen.narrations, schema.NARRATIONS, paths.NARRATIONS)
        for split, table in kitchen.episodes.items():
            write_table(table, schema.EPISODES, paths.EPISODES / f"{split}.parquet")
        write_json(kitchen.summary, paths.EPISODES_SUMMARY)
        write_shard(kitchen.clips)
    return root / "data"
