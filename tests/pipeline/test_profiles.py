"""Profiles through DVC itself: `dvc exp run` composes params.yaml and runs what it says."""

import json
from pathlib import Path

import pytest

from eilev.profiles import compose_params
from tests.pipeline.test_repro import ROOT, Project

OVERRIDES = [
    "data=epic_kitchens",
    "model=blip2-opt-2.7b",
    "recipe=videoblip",
    "synthesize.num_actions=40",
    "synthesize.num_videos=2",
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_dvc_composes_and_runs(project: Project) -> None:
    params = project.folder / "params.yaml"
    dry = project.dvc("exp", "run", "--dry", "--single-item", "synthesize")
    assert dry.returncode == 0, dry.stderr
    # The default is written anew, as it was.
    assert params.read_bytes() == (ROOT / "params.yaml").read_bytes()

    settings = [item for override in OVERRIDES for item in ("-S", override)]
    result = project.dvc("exp", "run", *settings, "--single-item", "synthesize")
    assert result.returncode == 0, result.stderr
    assert params.read_text() == compose_params(OVERRIDES, ROOT / "conf")[0]
    written = json.loads((project.folder / "data/raw/synthetic/fho_main.json").read_text())
    actions = [
        action
        for video in written["videos"]
        for interval in video["annotated_intervals"]
        for action in interval["narrated_actions"]
    ]
    assert (len(written["videos"]), len(actions)) == (2, 40)


def test_the_launch_file_of_a_profile_reaches_the_command(project: Project) -> None:
    result = project.dvc("exp", "run", "--dry", "-S", "model=blip2-opt-2.7b", "report")
    assert result.returncode == 0, result.stderr
    assert "accelerate launch --config_file accelerate_8gpu.yaml" in result.stdout
