"""The schemas that editors read: what they let through, what they mark."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from eilev.config.json_schema import PROFILE_SCHEMA, SCHEMA, params_schema, profile_schema

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PROFILES = sorted((ROOT / "conf").rglob("*.yaml"))


def errors(schema, values):
    return [
        (error.json_path, error.message)
        for error in jsonschema.Draft7Validator(schema).iter_errors(values)
    ]


def changed(key, value):
    values = copy.deepcopy(PARAMS)
    *parents, last = key.split(".")
    target = values
    for name in parents:
        target = target[name]
    target[last] = value
    return values


@pytest.mark.parametrize("schema", [params_schema(), profile_schema()])
def test_they_are_schemas(schema):
    jsonschema.Draft7Validator.check_schema(schema)


def test_the_committed_params_satisfy_theirs():
    assert errors(params_schema(), PARAMS) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.guidanse", 0.0, "'guidanse' was unexpected"),
        ("train.content_weight", -1.0, "less than or equal to the minimum"),
        ("train.seed", "0", "not of type 'integer'"),
        ("train.betas", [0.9, 1.5], "greater than the maximum"),
        ("train.betas", [0.9], "is too short"),
        ("clips.frame_size", 50, "not a multiple of 32"),
        ("clips.window_s", 0, "less than or equal to the minimum"),
        ("split.by", "verb", "is not one of"),
        ("episodes.val.mixture", [{"kind": "bursty"}], "is a required property"),
    ],
)
def test_a_bad_value_is_marked(key, value, message):
    found = [text for _, text in errors(params_schema(), changed(key, value)) if message in text]
    assert found


def test_a_missing_key_is_marked():
    values = copy.deepcopy(PARAMS)
    del values["clips"]["num_frames"]
    assert errors(params_schema(), values) == [("$.clips", "'num_frames' is a required property")]


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_file_of_conf_satisfies_its_schema(path):
    assert errors(profile_schema(), yaml.safe_load(path.read_text())) == []


def test_in_conf_names_and_values_are_checked_and_the_rest_left_open():
    schema = profile_schema()
    assert errors(schema, {"train": {"seed": "???", "batch_size": "${clips.shard_size}"}}) == []
    assert len(errors(schema, {"train": {"sed": 1}})) == 1
    assert len(errors(schema, {"train": {"seed": "one"}})) == 1


def test_the_editors_settings_name_schemas_that_are_there():
    settings = json.loads((ROOT / ".vscode/settings.json").read_text())
    assert settings["yaml.schemas"] == {
        f"./{SCHEMA}": "/params.yaml",
        f"./{PROFILE_SCHEMA}": "/conf/**/*.yaml",
    }
    assert (ROOT / SCHEMA).is_file()
    assert (ROOT / PROFILE_SCHEMA).is_file()
