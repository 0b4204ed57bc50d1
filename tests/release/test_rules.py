import doctest

import pytest

from eilev.bundle.manifest import MeasuredParity
from eilev.config.release import ReleaseConfig
from eilev.config.section import ParamsError, check_section, load_section
from eilev.release import rules
from eilev.release.rules import judge
from tests.conftest import ROOT

PARITY = MeasuredParity(
    episodes=50, max_logit_difference=1e-5, identical_narrations=50, action_agreement=1.0
)
VALUES = {
    "stage": "prod",
    "comparison": {"metric": "novel.score", "better": "higher", "min_gain": 0.01},
    "tolerances": [{"metric": "novel.error", "better": "lower", "max_loss": 0.02}],
    "probes": [{"name": "gap", "score": "novel.score", "left": "novel.blank", "min_gap": 0.3}],
    "parity": {"min_identical": 1.0, "max_logit_difference": 0.001},
    "license": "mit",
    "data_license": "Ours.",
}
CONFIG = check_section(VALUES, ReleaseConfig, "test")
GOOD = {"novel": {"score": 0.8, "error": 0.1, "blank": 0.1}}


def refused(changes, promoted=GOOD, parity=PARITY):
    """The rules that refuse a model that is better than GOOD but for the changes."""
    metrics = {"novel": {**GOOD["novel"], "score": 0.9, **changes}}
    return [str(one) for one in judge(CONFIG, metrics, parity, promoted) if not one.passed]


def test_the_examples_are_true():
    assert doctest.testmod(rules).failed == 0


def test_a_better_model_passes():
    assert refused({}) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"score": 0.805}, "novel.score: 0.805, must be at least 0.81; promoted 0.8"),
        ({"error": 0.13}, "novel.error: 0.13, must be at most 0.12; promoted 0.1"),
        ({"error": None}, "novel.error: not measured, must be at most 0.12; promoted 0.1"),
        ({"blank": 0.7}, "gap: 0.2, must be at least 0.3; promoted 0.7"),
        ({"blank": None}, "gap: not measured, must be at least 0.3; promoted 0.7"),
    ],
)
def test_every_rule_refuses_with_value_bound_and_the_promoted_one(changes, line):
    assert refused(changes) == [f"REFUSED  {line}"]


def test_a_bound_itself_is_kept():
    assert refused({"score": 0.81, "error": 0.12}) == []


def test_the_export_must_answer_as_torch_does():
    worse = PARITY.model_copy(update={"identical_narrations": 49, "max_logit_difference": 0.5})
    assert refused({}, parity=worse) == [
        "REFUSED  export: identical narrations: 0.98, must be at least 1; promoted -",
        "REFUSED  export: logit difference: 0.5, must be at most 0.001; promoted -",
    ]
    assert len(refused({}, parity=None)) == 2


def test_the_first_model_needs_its_figures_and_its_gap():
    assert refused({}, promoted=None) == []
    assert refused({"blank": 0.8}, promoted=None) == [
        "REFUSED  gap: 0.1, must be at least 0.3; promoted -"
    ]
    (line,) = refused({"error": None}, promoted=None)
    assert line == "REFUSED  novel.error: not measured, must be measured; promoted -"


def test_a_promoted_model_without_the_figure_sets_no_bound():
    assert refused({}, promoted={"novel": {"score": 0.8}}) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"comparison": {**VALUES["comparison"], "metric": "score"}}, "comparison.metric"),
        ({"probes": VALUES["probes"] * 2}, "'probes' has a value twice: gap"),
        ({"stage": "Prod 1"}, "stage"),
        ({"gain": 1}, "gain"),
    ],
)
def test_bad_rules_are_named(changes, named):
    with pytest.raises(ParamsError, match=named):
        check_section(VALUES | changes, ReleaseConfig, "test")


def test_the_default_has_rules():
    assert load_section("release", ReleaseConfig, ROOT / "params.yaml").probes
