import doctest

import pytest

from eilev.experiments import results
from eilev.io import DataError, read_json, write_json


def metrics(zero, most):
    def curve(*values):
        shots = zip((0, 4, 8), values, strict=True)
        return {"shots": {str(k): {"action_accuracy": value} for k, value in shots}}

    bursty, contrastive = curve(zero, most / 2, most), curve(zero, 0.1, 0.2)
    conditions = {"bursty": bursty, "contrastive": contrastive}
    probes = {"novel": {"contrastive_shuffled": {"0": 0.0, "8": 0.05}}}
    return {"novel": conditions, "test": conditions, "model": {"seconds": 1.0}, "probes": probes}


@pytest.fixture
def folder(tmp_path):
    for name, zero, most in (
        ("eilev-0", 0.0, 0.9),
        ("eilev-1", 0.1, 0.8),
        ("no_burst-0", 0.0, 0.1),
        ("no_burst-1", 0.1, 0.3),
        ("no_skew-0", 0.0, 0.7),
        ("no_skew-1", 0.0, 0.85),
    ):
        write_json(metrics(zero, most), tmp_path / "metrics" / f"{name}.json")
    return tmp_path


def test_worked_examples():
    assert doctest.testmod(results).failed == 0


def test_spread_over_seeds_and_verdicts(folder):
    summary = results.summarise(results.read_runs(folder / "metrics", "eilev"), "eilev")
    assert summary["eilev"]["novel_score"] == pytest.approx({"mean": 0.85, "min": 0.8, "max": 0.9})
    assert summary["eilev"]["in_context_gain"]["min"] == pytest.approx(0.7)
    assert summary["eilev"]["contrastive_score"]["mean"] == pytest.approx(0.2)
    assert summary["eilev"]["contrastive_shuffled"]["mean"] == pytest.approx(0.05)
    assert summary["eilev"]["in_weights"] == pytest.approx({"mean": 0.05, "min": 0, "max": 0.1})
    assert summary["no_burst"]["versus"]["novel_score"] == "lower"
    assert summary["no_skew"]["versus"]["novel_score"] == "overlapping"
    assert summary["no_skew"]["curves"]["novel"]["bursty"]["4"]["max"] == pytest.approx(0.425)


def test_the_page_has_a_figure_for_each_variant(folder, monkeypatch):
    monkeypatch.setattr("sys.argv", ["results", "--folder", str(folder), "--reference", "eilev"])
    results.main()
    page = (folder / "index.html").read_text()
    assert page.count("<svg") == 4
    assert "0.850 (0.800 to 0.900)" in page
    assert set(read_json(folder / "results.json")) == {"eilev", "no_burst", "no_skew"}


def test_nothing_to_compare_with_is_an_error(folder):
    with pytest.raises(DataError, match="no run of 'binding'"):
        results.write_results(folder, "binding")
