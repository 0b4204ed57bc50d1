"""The episodes and validate stages, from files to files."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from eilev import paths, schema
from eilev.io import read_json
from eilev.parquet import write_table
from eilev.stages import episodes, validate
from tests.kitchen import put_phase
from tests.worlds import make_world

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the stages before these two write, and a small params.yaml."""
    monkeypatch.chdir(tmp_path)
    world = make_world(1200, 16, 30)
    write_table(world.narrations, schema.NARRATIONS, paths.NARRATIONS)
    write_table(world.split, schema.SPLIT, paths.SPLIT)
    write_table(world.clips, schema.CLIPS_INDEX, paths.CLIPS / "index.parquet")
    params = yaml.safe_load(PARAMS.read_text())
    natural = [{"kind": "bursty", "meaning": "natural", "share": 1.0}]
    put_phase(params, shots=[4], mixture=natural)
    params["episodes"]["val"] |= {"shots": [4], "max_queries": 20}
    params["episodes"]["evaluation"] |= {"shots": [0, 4], "ways": 2, "max_queries": 20}
    params["validate"]["num_narrations"] = {"min": 500, "max": None}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def _change(path: Path, kind: str) -> None:
    params = yaml.safe_load(path.read_text())
    params["episodes"]["train"][0]["mixture"][0]["kind"] = kind
    path.write_text(yaml.safe_dump(params))


def test_sound_episodes_pass(workspace: Path) -> None:
    episodes.main()
    validate.main()
    found = read_json(paths.VALIDATION)
    assert found["success"] is True
    assert found["data"]["train_episodes"]["contexts"]["burstiness"] > 0.95
    assert found["data"]["corpus"]["num_actions"] > 10
    frequencies = pd.read_csv(paths.VALIDATION_PLOTS / "action_frequencies.csv")
    assert frequencies["count"].is_monotonic_decreasing
    assert frequencies["rank"].tolist() == list(range(1, len(frequencies) + 1))
    histogram = pd.read_csv(paths.VALIDATION_PLOTS / "burstiness.csv")
    train = pd.read_parquet(paths.EPISODES / "train.parquet")
    assert histogram["episodes"].sum() == len(train)


def test_lost_burstiness_stops_the_pipeline(workspace: Path) -> None:
    _change(workspace / "params.yaml", "random")
    episodes.main()
    with pytest.raises(SystemExit) as stopped:
        validate.main()
    observed = read_json(paths.VALIDATION)["data"]["train_episodes"]["contexts"]["burstiness"]
    assert observed < 0.5
    message = str(stopped.value)
    assert "expect_burstiness_between (episodes-train-contexts, table)" in message
    assert f"expected min 0.95 and max 1.0, observed {observed}" in message
    assert "\nexpect_burstiness_above_random_between" in message
    assert "expect_no_query_leakage" not in message
    # What was found can be looked at.
    assert read_json(paths.VALIDATION)["success"] is False
    assert (paths.VALIDATION_DOCS / "index.html").exists()


def test_missing_input_names_the_file(workspace: Path) -> None:
    paths.SPLIT.unlink()
    with pytest.raises(SystemExit, match=r"data/split/split\.parquet: no such file"):
        episodes.main()
