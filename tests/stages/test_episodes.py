"""The episodes stage, from files to files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from eilev import paths, schema
from eilev.parquet import write_table
from eilev.stages import episodes
from tests.conftest import ROOT
from tests.kitchen import put_phase
from tests.worlds import make_world

# Parquet is read in pieces of 131,072 rows; Ego4D has 290,000 narrations.
NUM_NARRATIONS = 140_000


def write_many_narrations() -> None:
    """What the stages before this one write, for a world that is repeated a hundred times.

    Every clip has frames: a table that nothing is taken out of stays in pieces.
    """
    times = 100
    world = make_world(NUM_NARRATIONS // times, 16, 30, undecoded=0)
    ids = pd.Series(np.char.mod("clip-%06d", np.arange(NUM_NARRATIONS)))
    for table, columns, path in (
        (world.narrations, schema.NARRATIONS, paths.NARRATIONS),
        (world.split, schema.SPLIT, paths.SPLIT),
        (world.clips, schema.CLIPS_INDEX, paths.CLIPS / "index.parquet"),
    ):
        repeated = pd.concat([table] * times, ignore_index=True)
        write_table(repeated.assign(narration_id=ids), columns, path)


def test_more_narrations_than_are_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_many_narrations()
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    bursty = {"shots": [0, 2], "mixture": [{"kind": "bursty", "meaning": "natural", "share": 1.0}]}
    put_phase(params, **bursty)
    params["episodes"]["val"] |= bursty
    Path("params.yaml").write_text(yaml.safe_dump(params))
    episodes.main()
    split = pd.read_parquet(paths.SPLIT)
    training = pq.read_table(paths.EPISODES / "train.parquet", columns=["query"])["query"]
    assert training.to_pylist() == split.loc[split["split"] == "train", "narration_id"].tolist()
    for name, most in (("val", 256), ("test", 500 * 13), ("novel", 500 * 13)):
        assert pq.read_metadata(paths.EPISODES / f"{name}.parquet").num_rows == most
