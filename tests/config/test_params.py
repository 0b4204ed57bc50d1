"""params.yaml: what is refused, and that the message names the key."""

from pathlib import Path

import pytest
import yaml

from eilev.config.params import load_params
from eilev.config.section import ParamsError

COMMITTED = Path(__file__).parents[2] / "params.yaml"


def load_changed(folder: Path, section: str, key: str, value: object):
    """Load the committed params.yaml with one key of one section changed."""
    params = yaml.safe_load(COMMITTED.read_text())
    *parents, last = key.split(".")
    target = params[section]
    for name in parents:
        target = target[int(name) if name.isdigit() else name]
    target[last] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    return load_params(path)


def test_the_committed_file_is_valid():
    assert load_params(COMMITTED).train.phases


def test_a_missing_file_and_broken_yaml_are_named(tmp_path):
    with pytest.raises(ParamsError, match=r"nothing\.yaml: no such file"):
        load_params(tmp_path / "nothing.yaml")
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(ParamsError, match=r"broken\.yaml: not valid YAML"):
        load_params(tmp_path / "broken.yaml")


def test_a_missing_section_is_named(tmp_path):
    params = yaml.safe_load(COMMITTED.read_text())
    del params["clips"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(ParamsError, match="clips: Field required"):
        load_params(path)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("split", "common_sharee", 0.8, "split.common_sharee: Extra inputs"),
        ("clips", "num_frames", "4", "clips.num_frames"),
        ("clips", "frame_size", 50, "clips.frame_size"),
        ("clips", "executor", "dask", "'scheduler' is for executor: dask, which needs one"),
        ("clips", "scheduler", "tcp://host:8786", "'scheduler' is for executor: dask"),
        ("episodes", "verb_noun_ratio", 1.5, "episodes.verb_noun_ratio"),
        ("episodes", "evaluation.ways", 3, "episodes.evaluation: .*multiple of ways=3"),
        ("train", "model.pretrained", "some/model", "exactly one of 'pretrained' and 'scratch'"),
        ("train", "model.scratch.language_model", "some/model", "exactly one of 'text' and"),
        ("train", "model.scratch.max_position_embeddings", None, "_embeddings' with 'text'"),
        ("train", "model.freeze", ["decoder"], "train.model.freeze.0"),
        ("train", "content_weight", -1.0, "train.content_weight"),
        ("train", "phases.0.language", 0.0, "phase 'captioning': 'language' 0 needs a"),
        ("evaluate", "text_metrics.bi_encoder", 1, "evaluate.text_metrics.bi_encoder"),
        ("evaluate", "text_metrics.bleurt", None, "evaluate.text_metrics.bleurt: Extra inputs"),
        ("evaluate", "baselines.classifier_clips", 0, "evaluate.baselines.classifier_clips"),
    ],
)
def test_a_bad_value_is_named(tmp_path, section, key, value, message):
    with pytest.raises(ParamsError, match=message):
        load_changed(tmp_path, section, key, value)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"kind": "bursty", "meaning": "natural", "share": 0.5}, "must sum to 1"),
        ({"kind": "contrastive", "meaning": "natural", "share": 1.0}, "needs 'ways'"),
        (
            {"kind": "bursty", "meaning": "natural", "share": 1.0, "ways": 2},
            "'bursty' has no 'ways'",
        ),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(tmp_path, item, message):
    with pytest.raises(ParamsError, match=message):
        load_changed(tmp_path, "episodes", "train.0.mixture", [item])


def test_a_list_is_not_called_short_for_what_an_element_lacks(tmp_path):
    params = yaml.safe_load(COMMITTED.read_text())
    del params["train"]["phases"][0]["guidance"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(ParamsError) as error:
        load_params(path)
    assert str(error.value) == f"{path}: train.phases.0.guidance: Field required"
    params["train"]["phases"] = []
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(ParamsError, match=r"train\.phases: .* at least 1 item"):
        load_params(path)


def test_guidance_needs_the_words_marked(tmp_path):
    params = yaml.safe_load(COMMITTED.read_text())
    assert any(phase["guidance"] for phase in params["train"]["phases"])
    params["train"]["content_weight"] = 1.0
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(ParamsError, match="'naming' need a 'content_weight' above 1"):
        load_params(path)


def test_synonyms_are_for_tables_and_lie_where_dvc_watches(tmp_path):
    with pytest.raises(ParamsError, match=r"ingest: .*'synonyms' is for source: table"):
        load_changed(tmp_path, "ingest", "synonyms", "data/raw/mine/synonyms.yaml")
    params = yaml.safe_load(COMMITTED.read_text())
    params["ingest"] = {
        "source": "table",
        "annotations": "data/raw/mine",
        "videos": "videos",
        "synonyms": "data/raw/mine/synonyms.yaml",
        "epic_time": "segment",
    }
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    assert load_params(path).ingest.synonyms == "data/raw/mine/synonyms.yaml"
    params["ingest"]["annotations"] = "data/raw/mine/narrations.csv"
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(ParamsError, match=r"must lie in the folder that 'annotations' names"):
        load_params(path)
