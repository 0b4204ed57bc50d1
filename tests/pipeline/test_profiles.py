"""Profiles through DVC itself: `dvc exp run` composes params.yaml and runs what it says."""

import json
import subprocess

import pytest
from dvc.repo import Repo

from eilev.config.compose import compose_params
from tests.pipeline.test_repro import ROOT, Project

OVERRIDES = [
    "data=epic_kitchens",
    "model=blip2-opt-2.7b",
    "recipe=videoblip",
    "synthesize.num_actions=40",
    "synthesize.num_videos=2",
]
# A stage that keeps the params.yaml that it was run with.
LOOK = "stages: {look: {cmd: cp ../params.yaml seen.yaml, outs: [seen.yaml]}}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("profiles"))
    (project.folder / "look").mkdir()
    (project.folder / "look" / "dvc.yaml").write_text(LOOK)
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["add", "look"], [*author, "commit", "-qm", "Add a look"]):
        subprocess.run(["git", *command], cwd=project.folder, check=True)
    return project


def run(project: Project, target: str, overrides: list[str]) -> None:
    settings = [item for override in overrides for item in ("-S", override)]
    result = project.dvc("exp", "run", *settings, "--single-item", target)
    assert result.returncode == 0, result.stderr


def test_the_default_is_written_anew_as_it_was(project: Project) -> None:
    run(project, "look/dvc.yaml:look", [])
    committed = (ROOT / "params.yaml").read_bytes()
    assert (project.folder / "look/seen.yaml").read_bytes() == committed
    assert (project.folder / "params.yaml").read_bytes() == committed


def test_a_stage_runs_with_the_composition(project: Project) -> None:
    run(project, "synthesize", OVERRIDES)
    expected = compose_params(OVERRIDES, ROOT / "conf")[0]
    assert (project.folder / "params.yaml").read_text() == expected
    written = json.loads((project.folder / "data/raw/synthetic/fho_main.json").read_text())
    actions = [
        action
        for video in written["videos"]
        for interval in video["annotated_intervals"]
        for action in interval["narrated_actions"]
    ]
    assert (len(written["videos"]), len(actions)) == (2, 40)


def test_the_launch_file_and_the_annotations_of_a_profile_reach_the_stages(
    project: Project,
) -> None:
    text, params = compose_params(OVERRIDES, ROOT / "conf")
    (project.folder / "params.yaml").write_text(text)
    with Repo(str(project.folder)) as repo:
        stages = {stage.name: stage for stage in repo.index.stages}
    assert params.train.launch == "accelerate_8gpu.yaml"
    assert params.train.launch in {dep.def_path for dep in stages["train"].deps}
    assert params.ingest.annotations in {dep.def_path for dep in stages["ingest"].deps}
