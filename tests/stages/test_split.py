"""The split stage, from file to file."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from eilev import paths, schema
from eilev.config.section import load_section
from eilev.config.split import SplitConfig
from eilev.episodes.splits import split_narrations
from eilev.parquet import BATCH_ROWS, read_table, write_table
from eilev.stages import split
from tests.conftest import ROOT
from tests.worlds import make_world


def test_rows_are_those_of_the_narrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    world = make_world(600)
    ids = np.char.mod("clip-%06d", np.arange(BATCH_ROWS + 600))
    # More than are read at once.
    table = world.narrations.iloc[np.arange(ids.size) % 600].assign(narration_id=ids)
    write_table(table, schema.NARRATIONS, paths.NARRATIONS)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    split.main()
    config = load_section("split", SplitConfig)
    expected = split_narrations(table, config, np.random.default_rng(config.seed))
    found = read_table(paths.SPLIT, schema.SPLIT)
    assert found["narration_id"].tolist() == ids.tolist()
    assert found["split"].tolist() == list(expected)
    assert set(expected) == set(schema.SPLITS)
