"""A run of a real repository in a real store of MLflow's, read back by its client."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from eilev.cli import main
from eilev.io import DataError
from eilev.tracking.record import read_record
from tests.repositories import call, dvc

METRICS = {"novel": {"bursty": {"shots": {"0": {"rouge_l": 0.25}, "8": {"rouge_l": 0.5}}}}}
# Writes what the stages of the pipeline write, as they write it.
TRAIN = """
import json, pathlib
from eilev.training.tracking import DvcLiveTracker
tracker = DvcLiveTracker(pathlib.Path("data/train/live"))
for step in range(1, 1202):
    tracker.log(step, {"train/loss": 1 / step})
tracker.close()
pathlib.Path("data/train/metrics.json").write_text(json.dumps({"steps": 1201, "none": None}))
"""
EVALUATE = f"""
import pathlib
pathlib.Path("data/evaluate").mkdir(parents=True)
pathlib.Path("data/evaluate/metrics.json").write_text({json.dumps(METRICS)!r})
"""
STAGES = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [train]
    outs: [data/train/live, data/train/metrics.json]
  evaluate:
    cmd: python evaluate.py
    deps: [data/train/metrics.json, evaluate.py]
    outs: [data/evaluate/metrics.json]
"""


def test_a_run_is_stored_once_with_series_parameters_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "evaluate.py").write_text(EVALUATE)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "params.yaml").write_text("train: {seed: 0, curriculum: [{name: binding}]}")
    (tmp_path / ".gitignore").write_text("data\nmlflow.db\nmlruns\n")
    call(tmp_path, "git", "init", "-q")
    dvc(tmp_path, "init", "-q")
    call(tmp_path, "git", "add", ".")
    call(tmp_path, "git", "commit", "-qm", "Before")
    with pytest.raises(DataError, match=r"has no dvc.lock; nothing has been trained"):
        read_record("HEAD", tmp_path, tmp_path)
    with pytest.raises(DataError, match="nobody: no commit, tag, branch or DVC experiment"):
        read_record("nobody", tmp_path, tmp_path)
    dvc(tmp_path, "repro", "-q")
    dvc(tmp_path, "exp", "save", "--name", "daxing")
    with pytest.raises(DataError, match="not in DVC's cache; try `dvc fetch`"):
        read_record("daxing", tmp_path, tmp_path / "nowhere")

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for _ in range(2):
        main(["track", "daxing", "--uri", uri])
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("daxing: stored as ")
    assert told[1] == told[0].replace("stored as", "is there already:")
    check(MlflowClient(uri), told[0].split()[-1])


def check(client: MlflowClient, run_id: str) -> None:
    run: Run = client.get_run(run_id)
    assert run.info.run_name == "daxing"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"train.seed": "0", "train.curriculum": '[{"name": "binding"}]'}
    assert run.data.metrics["train/steps"] == 1201
    losses = client.get_metric_history(run_id, "train/loss")
    assert [(point.step, point.value) for point in losses] == [(n, 1 / n) for n in range(1, 1202)]
    curve = client.get_metric_history(run_id, "evaluate/novel/bursty/rouge_l")
    assert [(point.step, point.value) for point in curve] == [(0, 0.25), (8, 0.5)]
    path = client.download_artifacts(run_id, "data/evaluate/metrics.json")
    assert json.loads(Path(path).read_text()) == METRICS
