import json

import pandas as pd

from eilev.training.tracking import DvcLiveTracker


def test_metrics_become_one_table_each_and_a_summary(tmp_path):
    tracker = DvcLiveTracker(tmp_path / "live")
    tracker.log(10, {"train/loss": 2.0})
    tracker.log(20, {"train/loss": 1.0, "val/exact": 0.5})
    tracker.close()
    table = pd.read_csv(tmp_path / "live/plots/metrics/train/loss.tsv", sep="\t")
    assert table[["step", "loss"]].to_numpy().tolist() == [[10, 2.0], [20, 1.0]]
    summary = json.loads((tmp_path / "live/metrics.json").read_text())
    assert summary["train"]["loss"] == 1.0
    assert summary["val"]["exact"] == 0.5


def test_a_new_run_starts_its_record_afresh(tmp_path):
    for value in (1.0, 2.0):
        tracker = DvcLiveTracker(tmp_path)
        tracker.log(1, {"loss": value})
        tracker.close()
    assert len(pd.read_csv(tmp_path / "plots/metrics/loss.tsv", sep="\t")) == 1
    assert not (tmp_path / "dvc.yaml").exists()
