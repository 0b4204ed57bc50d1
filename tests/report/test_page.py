import pandas as pd
import pytest

from eilev.report.charts import (
    action_frequencies,
    burstiness_histogram,
    calibration_curves,
    in_context_curves,
)
from eilev.report.page import (
    curve_table,
    data_charts,
    headline,
    phase_borders,
    sight,
    training_charts,
)


def curve(*scores):
    points = {str(k): {"action_accuracy": s} for k, s in zip((0, 8), scores, strict=True)}
    return {"shots": points, "unavailable": {}}


METRICS = {
    "novel": {"bursty": curve(0.125, 0.75), "shuffled": curve(0.125, 0.5)},
    "test": {"bursty": curve(0.25, None)},
}


def test_headline_states_both_ends_of_the_novel_curve():
    assert "from 0.125 with 0 clips in the context to 0.750 with 8." in headline(METRICS)


def test_headline_falls_back_to_test_without_novel_actions():
    metrics = {"test": {"bursty": curve(0.25, 0.5)}}
    assert "test: unseen clips" in headline(metrics)


def test_the_first_lines_say_what_is_left_without_the_videos():
    metrics = {
        "novel": {
            "bursty": curve(0.125, 0.75),
            "shuffled": curve(0.125, 0.5),
            "no_video": curve(0.0, 0.25),
            "contrastive": curve(0.125, 0.875),
        },
        "probes": {"novel": {"contrastive_shuffled": {"0": 0.125, "8": 0.0625}}},
    }
    assert "in contrastive contexts 0.875 becomes 0.062 (exchanged)" in sight(metrics)
    assert "in bursty ones 0.750 becomes 0.500 (exchanged) and 0.250 (blank)" in sight(metrics)
    del metrics["novel"]["no_video"]
    assert "in bursty ones 0.750 becomes 0.500 (exchanged)." in sight(metrics)
    assert sight({"novel": {"bursty": curve(0.1, 0.2)}, "probes": {"novel": {}}}) == ""


def test_table_has_a_row_per_condition_and_a_dash_for_what_was_not_scored():
    lines = curve_table(METRICS).splitlines()
    assert lines[0].split() == ["novel", "0", "8"]
    assert lines[2].split() == ["shuffled", "0.125", "0.500"]
    assert lines[4].split() == ["bursty", "0.250", "-"]


def test_charts_are_the_same_bytes_for_the_same_numbers():
    assert in_context_curves(METRICS) == in_context_curves(METRICS)
    assert "shuffled" in in_context_curves(METRICS)


def test_calibration_is_drawn_where_contexts_are():
    sure = {"shots": {"8": {"action_accuracy": 0.5, "confidence": 0.9}}, "unavailable": {}}
    chart = calibration_curves({"novel": {"bursty": sure, "no_video": sure}})
    assert "right (line), sure (dashed)" in chart
    assert "bursty" in chart
    assert "no_video" not in chart


def test_data_charts_name_what_they_show():
    assert "Zipf, s = 0.90" in action_frequencies([5, 3, 1], 0.9)
    table = pd.DataFrame({"kind": ["bursty"] * 2, "share": [0.25, 0.75], "episodes": [1, 3]})
    assert "Burstiness of the phase matching" in burstiness_histogram(table, "matching")


def test_each_phase_has_its_burstiness(tmp_path):
    """Bars of one phase are as wide as if it were alone."""
    (tmp_path / "action_frequencies.csv").write_text("rank,count\n1,5\n2,3\n")
    rows = "kind,share,episodes,phase\n"
    rows += "".join(f"bursty,{s},{n},{p}\n" for p in "ab" for s, n in ((0.25, 1), (0.75, 3)))
    (tmp_path / "burstiness.csv").write_text(rows)
    _, first, second = data_charts(tmp_path, {"corpus": {"zipf_exponent": 1.0}})
    table = pd.DataFrame({"kind": ["bursty"] * 2, "share": [0.25, 0.75], "episodes": [1, 3]})
    assert first == burstiness_histogram(table, "a")
    assert second == burstiness_histogram(table, "b")


def test_training_charts_read_dvclive_tables(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "loss.tsv").write_text("step\tloss\n0\t2.5\n10\t1.5\n")
    (tmp_path / "train" / "phase.tsv").write_text("step\tphase\n0\t0\n10\t1\n")
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "exact.tsv").write_text("step\texact\n10\t0.5\n")
    loss, score = training_charts(tmp_path)
    assert "train/loss" in loss
    assert "val/exact" in score
    (tmp_path / "train" / "phase.tsv").unlink()
    assert training_charts(tmp_path)[0].count("stroke-dasharray") < loss.count("stroke-dasharray")
    assert phase_borders([]) == []


def test_a_condition_without_scores_is_left_out_of_the_picture():
    metrics = {"test": {"bursty": curve(0.1, 0.2), "no_video": curve(None, None)}}
    assert "no_video" not in in_context_curves(metrics)


@pytest.mark.parametrize("split", ["novel", "test"])
def test_a_split_without_metrics_has_no_panel(split):
    metrics = {split: {"bursty": curve(0.1, 0.2)}}
    other = {"novel": "test: unseen", "test": "novel: actions"}[split]
    assert other not in in_context_curves(metrics)
