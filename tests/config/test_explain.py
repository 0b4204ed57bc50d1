"""Every parameter explains itself, and what is written from that is what is committed."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from eilev.config.compose import compose_params
from eilev.config.explain import PAPER, Key, explain, generated, parameters
from eilev.config.params import Params
from eilev.config.section import ParamsError, Section

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"


def composed(*overrides):
    return yaml.safe_load(compose_params(overrides, CONF)[0])


DEFAULT, PAPERS = composed(), composed(*PAPER)
COLUMNS = {"params.yaml": DEFAULT, "paper's profile": PAPERS}


def flat(keys: tuple[Key, ...]) -> dict[str, Key]:
    return {name: each for key in keys for name, each in {key.name: key, **flat(key.below)}.items()}


KEYS = flat(parameters())


def records(record: type[BaseModel]) -> set[type[BaseModel]]:
    """The records of a record's fields, theirs included."""
    below = {
        cls
        for cls in Section.__subclasses__()
        for field in record.model_fields.values()
        if re.search(rf"\b{cls.__name__}\b", str(field.annotation))
    }
    return below | {each for cls in below for each in records(cls)}


@pytest.mark.parametrize("record", sorted(records(Params), key=lambda cls: cls.__name__))
def test_every_field_has_a_docstring_of_substance(record):
    for name, field in record.model_fields.items():
        text = " ".join((field.description or "").split())
        assert len(text) > 25, f"{record.__name__}.{name} has no docstring below it"
        assert text.endswith("."), f"{record.__name__}.{name}: {text}"


def dotted(values, prefix=""):
    """Names of all keys that a file has, those of lists' records without a number."""
    if isinstance(values, list):
        return {name for value in values for name in dotted(value, prefix)}
    if not isinstance(values, dict):
        return set()
    return {f"{prefix}{key}" for key in values}.union(
        *(dotted(value, f"{prefix}{key}.") for key, value in values.items())
    )


def test_the_keys_are_those_of_params_yaml():
    optional = {"marginal", "ways", "shots"}
    for name in set(KEYS) - dotted(DEFAULT):
        assert optional & set(name.split(".")), name
    assert dotted(DEFAULT) <= set(KEYS)


@pytest.mark.parametrize("path", generated(DEFAULT, PAPERS), ids=str)
def test_what_is_committed_is_what_is_generated(path):
    expected = generated(DEFAULT, PAPERS)[path]
    assert (ROOT / path).read_text() == expected, "run: eilev params --docs"


def test_the_pages_that_the_docstrings_name_are_there():
    texts = [key.text for key in KEYS.values()]
    named = {
        path for text in texts for path in re.findall(r"\b(?:docs|eilev|conf)/[\w/]+\.\w+", text)
    }
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_the_parameters_that_the_docstrings_name_are_there():
    sections = "|".join(key.name for key in parameters())
    named = {
        name
        for key in KEYS.values()
        for name in re.findall(rf"`((?:{sections})\.[\w.]+)`", key.text)
    }
    assert len(named) > 5
    assert named <= set(KEYS)


def test_a_key_has_its_kind_its_values_and_its_docstring():
    lines = explain("train.learning_rate", COLUMNS).splitlines()
    assert lines[:4] == [
        "train.learning_rate: number above 0",
        "  params.yaml      0.002",
        "  paper's profile  1.0e-05",
        "",
    ]
    assert lines[4].startswith("AdamW's greatest learning rate,")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clips.frame_size", "whole number, 32 or more, a multiple of 32"),
        ("clips.jpeg_quality", "whole number from 1 to 100"),
        ("split.train_share", "number above 0 and below 1"),
        ("split.num_common_actions", "whole number, 1 or more, or null"),
        ("split.by", "one of `action`, `video`"),
        ("train.betas", "list of 2 (number from 0 to 1)"),
        ("train.prompts", "list of 1 or more (text)"),
        ("train.augment.symmetries", "`true` or `false`"),
        ("episodes.train", "list of 1 or more (record)"),
        ("episodes.train.mixture", "list (record)"),
        ("train.model.scratch", "record, or null"),
        ("train.model.scratch.vision.hidden_size", "whole number, 1 or more"),
        ("validate.phases.burstiness.min", "number, or null"),
        ("train", "section"),
    ],
)
def test_what_a_value_may_be_is_said_in_words(name, kind):
    assert KEYS[name].kind == kind


def test_a_section_lists_its_keys_a_line_each():
    head, *lines = explain("split", COLUMNS).split("\n\n")[-1].splitlines()
    assert head.split()[:2] == ["split.seed", "0"]
    assert [line.split()[0] for line in lines] == [
        f"split.{name}" for name in DEFAULT["split"] if name != "seed"
    ]
    assert max(map(len, [head, *lines])) <= 120


def test_a_place_in_a_list_is_found_as_errors_name_it():
    assert explain("episodes.train.1.mixture.0.kind", COLUMNS).startswith(
        "episodes.train.mixture.kind: one of `bursty`"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train.guidence", r"no key 'train\.guidence'; did you mean train\.phases\.guidance\?"),
        ("guidance", r"did you mean train\.phases\.guidance\?"),
        ("num_frames", r"did you mean clips\.num_frames,"),
        ("nothing like it", "`eilev params` prints all of them"),
    ],
)
def test_an_unknown_key_is_refused_with_near_ones(name, message):
    with pytest.raises(ParamsError, match=message):
        explain(name, COLUMNS)
