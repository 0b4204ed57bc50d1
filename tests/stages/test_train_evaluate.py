"""The train and evaluate stages, from files to files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from eilev import paths, schema
from eilev.inputs.defaults import NarrationDefaults
from eilev.io import read_json, write_json
from eilev.model.checkpoint import load_model
from eilev.parquet import write_table
from eilev.stages import evaluate, train
from tests.conftest import ROOT
from tests.kitchen import make_kitchen, put_phase, tiny_train_config, write_shard
from tests.tiny import PROMPT


@pytest.fixture(scope="module")
def kitchen():
    return make_kitchen()


@pytest.fixture
def workspace(tmp_path, monkeypatch, kitchen):
    """The current folder: what the earlier stages write, and a params.yaml for a tiny run."""
    monkeypatch.chdir(tmp_path)
    write_workspace(kitchen)
    return tmp_path


@pytest.fixture(scope="module")
def trained(kitchen, tmp_path_factory):
    """Such a folder after the train stage; copy it before changing it."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_workspace(kitchen)
        train.main()
    return folder


@pytest.fixture
def trained_workspace(trained, tmp_path, monkeypatch):
    """The current folder: a copy of that one."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_workspace(kitchen):
    write_table(kitchen.narrations, schema.NARRATIONS, paths.NARRATIONS)
    for split, table in kitchen.episodes.items():
        write_table(table, schema.EPISODES, paths.EPISODES / f"{split}.parquet")
    write_json(kitchen.summary, paths.EPISODES_SUMMARY)
    write_shard(kitchen.clips)
    write_json({"success": True, "data": {"corpus": {}}}, paths.VALIDATION)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    put_phase(params)
    params["train"] = tiny_train_config().model_dump(mode="json")
    params["evaluate"] |= {"prompt": PROMPT, "max_new_tokens": 8}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    write_launch(Path(), num_processes=1)


def write_launch(folder, **settings):
    plain = {"num_machines": 1, "mixed_precision": "no", "use_cpu": True, "main_process_port": 0}
    local = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU"}
    (folder / "accelerate.yaml").write_text(yaml.safe_dump(local | plain | settings))


def launch(folder):
    """The stage as DVC starts it."""
    return subprocess.run(
        [sys.executable, "-m", "eilev.stages.launch", "-m", "eilev.stages.train"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_model_is_trained_then_evaluated(trained_workspace):
    metrics = read_json(paths.TRAIN_METRICS)
    assert metrics["parameters"] == metrics["trainable"] > 0
    assert metrics["steps"] == 15
    assert set(metrics) > {"phase_steps", "best_step", "val_score", "val_loss", "train_loss"}
    assert read_json(paths.TRAIN_EFFORT)["seconds"] > 0
    assert not paths.CHECKPOINTS.exists()
    assert (paths.LIVE / "plots/metrics/train/loss.tsv").exists()
    defaults = NarrationDefaults.load(paths.MODEL, image_size=0)
    assert (defaults.num_frames, defaults.window_s, defaults.prompt) == (4, 1.0, PROMPT)
    loaded = load_model(paths.MODEL)
    assert sum(p.numel() for p in loaded.model.parameters()) == metrics["parameters"]

    evaluate.main()
    scores = read_json(paths.METRICS)
    assert set(scores) == {"test", "novel", "data", "model", "probes", "baselines", "text_metrics"}
    assert scores["model"] == metrics
    curve = pd.read_csv(paths.EVALUATION_PLOTS / "in_context_curve.csv")
    assert set(curve["split"]) == {"test", "novel"}
    predictions = pd.read_parquet(paths.PREDICTIONS)
    assert predictions.columns.tolist() == schema.PREDICTIONS.names
    # Neither a scoring model nor a second checkpoint is asked for.
    assert scores["text_metrics"] == {"available": {}, "unavailable": {}}
    assert set(scores["baselines"]) == {"majority_word", "video_classifier", "unavailable"}
    majority = scores["baselines"]["majority_word"]["novel"]["bursty"]["shots"]
    in_probes = scores["probes"]["novel"]["majority"]["bursty"]
    assert {shots: row["action_accuracy"] for shots, row in majority.items()} == in_probes
    assert 0 <= scores["baselines"]["video_classifier"]["test"]["action_accuracy"] <= 1


def test_a_checkpoint_that_cannot_be_used_is_one_line(workspace):
    state = paths.CHECKPOINTS / "step-00000004" / "state.json"
    write_json({"fingerprint": "of before"}, state)
    with pytest.raises(SystemExit, match=f"^error: {state}: written by another version of EILeV"):
        train.main()
    assert not paths.LIVE.exists()


def test_fewer_processes_than_the_file_says_are_an_error(workspace):
    """What Accelerate makes of MULTI_CPU is one process."""
    write_launch(workspace, num_processes=2, distributed_type="MULTI_CPU")
    done = launch(workspace)
    assert done.returncode == 1
    told = "error: accelerate.yaml: num_processes is 2, but the training runs in 1"
    assert done.stderr.count(told) == 1
    assert not paths.MODEL.exists()


def change_params(folder, **evaluate):
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["evaluate"] |= evaluate
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_second_model_is_asked_the_same_and_missing_scoring_models_are_told(
    trained_workspace, monkeypatch
):
    # A hub that can't be reached is asked again for three quarters of a minute.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    change_params(
        trained_workspace,
        baselines={"no_context_model": str(paths.MODEL), "classifier_clips": None},
        text_metrics={"bi_encoder": None, "cross_encoder": "nothing/here", "bert_score": None},
    )
    evaluate.main()
    scores = read_json(paths.METRICS)
    assert set(scores["baselines"]) == {"majority_word", "no_context", "unavailable"}
    other = scores["baselines"]["no_context"]
    # Here it is the same model.
    assert other["model"] == str(paths.MODEL)
    for split in ("test", "novel"):
        assert other[split] == {"bursty": scores[split]["bursty"]}
        assert scores[split]["bursty"]["shots"]["2"]["cross_encoder"] is None
    told = scores["text_metrics"]["unavailable"]
    assert told["cross_encoder"]["model"] == "nothing/here"
    assert told["cross_encoder"]["reason"]


def test_a_second_model_that_is_missing_is_named_before_anything_is_generated(trained_workspace):
    baselines = {"no_context_model": "nowhere", "classifier_clips": None}
    change_params(trained_workspace, baselines=baselines)
    with pytest.raises(SystemExit, match=r"nowhere.*no such file"):
        evaluate.main()


@pytest.mark.parametrize(
    ("stage", "missing", "message"),
    [
        (train, "episodes/val.parquet", r"episodes/val\.parquet: no such file"),
        (train, "clips/clips-00000.arrow", r"clips-00000\.arrow: no such file"),
        (evaluate, "train", r"data/train/model.*no such file"),
    ],
)
def test_a_missing_input_is_named(workspace, stage, missing, message):
    (workspace / "data" / missing).unlink(missing_ok=True)
    with pytest.raises(SystemExit, match=message):
        stage.main()
    assert not paths.MODEL.exists()
    assert not paths.METRICS.exists()


def test_without_held_out_actions_only_test_is_evaluated(trained_workspace, kitchen):
    summary = read_json(paths.EPISODES_SUMMARY)
    for split in ("novel", "test"):
        table = kitchen.episodes[split].iloc[:0]
        write_table(table, schema.EPISODES, paths.EPISODES / f"{split}.parquet")
        for cells in summary[split].values():
            for cell in cells.values():
                cell |= {"episodes": 0, "reason": "no clip"}
        write_json(summary, paths.EPISODES_SUMMARY)
        if split == "test":
            with pytest.raises(SystemExit, match="nothing to evaluate on"):
                evaluate.main()
            continue
        evaluate.main()
        scores = read_json(paths.METRICS)
        for entry in scores["novel"].values():
            missing = {shots: {"reason": "no clip"} for shots in ("0", "1", "2")}
            assert entry == {"shots": {}, "unavailable": missing}
        assert scores["test"]["bursty"]["shots"]
        assert set(pd.read_parquet(paths.PREDICTIONS)["split"]) == {"test"}
