"""`eilev plan` for every profile, and its arithmetic."""

import json
from itertools import product
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from eilev import paths, schema
from eilev.cli import main
from eilev.config.compose import compose_params
from eilev.parquet import write_table
from tests.kitchen import make_kitchen, write_shard

ROOT = Path(__file__).parents[2]
SOURCES = ("synthetic", "ego4d", "epic_kitchens", "table")
FULL = ["data=ego4d", "recipe=eilev", "model=blip2-opt-2.7b"]
# The same with a model that is quickly counted.
STEP = ["train.batch_size=128", "train.accumulation_steps=16"]
SMALL = ["data=ego4d", "recipe=eilev", "model=tiny", *STEP]
TINY = ["data=synthetic", "model=tiny"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A project without data."""
    for name in ("conf", "params.yaml", "accelerate.yaml", "accelerate_8gpu.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def plan(capsys):
    def run(*arguments):
        main(["plan", "--json", *arguments])
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize(
    ("model", "recipe", "source"),
    # What a source brings is its size, whatever is trained on it, and a recipe what an episode is,
    # whatever the model. A curriculum of several phases is counted phase by phase, the slower.
    [
        ("tiny", "binding", "synthetic"),
        ("blip2-opt-2.7b", "eilev", "ego4d"),
        ("blip2-flan-t5-xl", "videoblip", "ego4d"),
        *product(("tiny",), ("eilev", "videoblip"), SOURCES),
    ],
)
def test_every_profile_is_planned(model, recipe, source, plan):
    result = plan(*_profile(model, recipe, source))
    frozen = {name for name, size in result["modules"].items() if not size["trainable"]}
    assert frozen == (set() if model == "tiny" else {"vision_model", "language_model"})
    assert result["compute"]["hours"] > 0
    assert (result["published"] is not None) == (model != "tiny" and recipe != "binding")


@pytest.mark.parametrize(("model", "recipe"), [("tiny", "eilev"), ("blip2-opt-2.7b", "videoblip")])
def test_a_plan_is_told(model, recipe, capsys):
    main(["plan", *_profile(model, recipe, "ego4d")])
    text = capsys.readouterr().out
    for heading in ("parameters", "memory of each A40 (GiB)", "operations (TFLOP)", "data"):
        assert f"{heading}\n" in text
    assert "an epoch of 1,000 episodes" in text
    assert ("Published: " in text) == (model != "tiny")
    assert "nothing of this has run on a GPU" in text


def _profile(model, recipe, source):
    return [f"model={model}", f"recipe={recipe}", f"data={source}", "--episodes", "1000"]


def test_the_published_run_is_of_the_planned_order(plan):
    result = plan(*FULL, "--episodes", "100000", "--gpu", "A40")
    assert result["parameters"] == 3_744_679_936
    assert result["trainable"] == 107_130_880
    assert result["precision"] == "bf16"
    assert result["machine"]["count"] == 8
    compute = result["compute"]
    assert compute["episodes_per_step"] == 128
    # 17 clips of 8 frames through a ViT of 2 x 986 million operations for each of 257 tokens.
    vision = 17 * 8 * 257 * 2 * 985_952_256
    assert compute["forward"]["vision_model"] == pytest.approx(vision, rel=0.04)
    # 2 operations a parameter and token forward, as many backward for the frozen model's inputs.
    words = 2 * 2_651_596_800 * compute["tokens_per_episode"]
    assert compute["forward"]["language_model"] == pytest.approx(words, rel=0.1)
    assert compute["episode"] == pytest.approx(vision + 2 * words + 3.1e12, rel=0.05)
    assert 10 < compute["hours"] < 100
    published = result["published"]
    assert published["gpu_hours"] == 288
    assert 50_000 < published["episodes_per_epoch_at_utilisation"] < 300_000


def test_hours_and_memory_follow_from_the_parts(plan):
    result = plan(*FULL, "--episodes", "1000", "--gpu", "H100", "--utilisation", "0.5")
    compute, memory = result["compute"], result["memory"]
    rate = 8 * 989.4e12 * 0.5
    assert compute["train_hours"] == pytest.approx(5000 * compute["episode"] / rate / 3600)
    assert compute["steps"] == 40
    parts = ("weights", "gradients", "optimiser", "buckets", "step")
    assert memory["total"] == sum(memory[part] for part in parts)
    assert memory["weights"] == 4 * result["parameters"]
    assert memory["optimiser"] == 2 * memory["buckets"] == 2 * 4 * result["trainable"]
    # The frozen language model's bf16 copies live from forward to backward.
    assert memory["step"] > 2 * 2_651_596_800


def test_a_step_stays_what_it_is_on_other_machines(plan):
    two, one = (plan(*SMALL, "--episodes", "1000", "--gpus", gpus) for gpus in ("2", "1"))
    # Two GPUs run four episodes of it at once, sixteen times.
    assert two["compute"]["episodes_per_step"] == one["compute"]["episodes_per_step"] == 128
    assert (two["compute"]["episodes_at_once"], one["compute"]["episodes_at_once"]) == (4, 8)
    assert two["compute"]["steps"] == one["compute"]["steps"]
    assert two["memory"]["buckets"] > one["memory"]["buckets"] == 0


def test_clips_on_disk_and_on_their_way(plan):
    data = plan(*FULL, "--episodes", "4500")["data"]
    # Train has 0.8 x 0.75 x 0.75 of the narrations.
    assert data["clips"] == 10_000
    assert data["clip_bytes"] == 8 * 448 * 448 * 3 / 8
    assert data["bytes"] == 10_000 * data["clip_bytes"]
    assert data["clips_per_step"] == 17 * 128
    assert data["clips_per_epoch"] == 17 * 4500


def test_the_synthetic_source_knows_its_size(plan):
    workload = plan(*TINY)["workload"]
    assert workload["narrations"] == pytest.approx(6000 * 0.97)
    assert workload["episodes"] == round(6000 * 0.97 * 0.8 * 0.88 * 0.92)


def test_params_yaml_is_planned_by_the_data_that_is_there(plan, folder):
    text, _ = compose_params(["recipe=eilev", "episodes.train.0.epochs=2"])
    (folder / "params.yaml").unlink()
    (folder / "params.yaml").write_text(text)
    kitchen = make_kitchen(epochs=2)
    write_table(kitchen.narrations, schema.NARRATIONS, paths.NARRATIONS)
    for split in ("train", "val"):
        write_table(kitchen.episodes[split], schema.EPISODES, paths.EPISODES / f"{split}.parquet")
    frames = kitchen.clips[kitchen.narrations["narration_id"].iloc[0]]
    write_shard({"only": frames})
    result = plan()
    rows = pq.read_metadata(paths.EPISODES / "train.parquet").num_rows
    assert result["workload"]["episodes"] == rows // 2
    assert result["data"]["clips"] == len(kitchen.narrations)
    shard = (paths.CLIPS / "clips-00000.arrow").stat().st_size
    assert result["data"]["clip_bytes"] == shard
    # A profile is another run than the one whose data is there.
    assert plan(*TINY)["workload"]["episodes"] != rows // 2


def test_too_large_for_a_gpu_is_said(capsys):
    main(["plan", *FULL, "--episodes", "1000", "--gpu", "L4"])
    text = capsys.readouterr().out
    assert "DOES NOT FIT" in text
    assert "1 episode at once" in text
    main(["plan", *SMALL, "--episodes", "1000", "--gpu", "L4", "--gpus", "4"])
    text = capsys.readouterr().out
    assert "DOES NOT FIT" not in text
    assert "2 episodes at once" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (FULL, "give --episodes"),
        ([*TINY, "--gpus", "5"], "48 episodes cannot be shared out evenly among 5"),
        ([*TINY, "--gpus", "-1"], "--gpus must be at least 1"),
        ([*TINY, "--utilisation", "1.5"], "--utilisation above 0"),
        ([*TINY, "train.launch=none.yaml"], "train.launch: none.yaml: no such file"),
        ([*TINY, "train.launch=params.yaml"], "params.yaml: needs 'num_processes'"),
        (
            [*FULL, "train.model.pretrained=my/model", "--episodes", "9"],
            "pretrained: my/model: its architecture is not known",
        ),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(SystemExit, match=message):
        main(["plan", *arguments])
