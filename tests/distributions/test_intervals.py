import numpy as np
import pytest

from eilev.distributions.intervals import bootstrap_intervals


def interval_of_mean(values, groups, seed):
    def mean(rows):
        return {"mean": float(values[rows].mean())}

    return bootstrap_intervals(groups, mean, 100, np.random.default_rng(seed))["mean"]


def test_95_percent_cover_the_truth_although_rows_of_a_group_depend_on_each_other():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    covered = 0
    for seed in range(200):
        values = rng.normal(size=60)[groups] + 0.1 * rng.normal(size=300)
        low, high = interval_of_mean(values, groups, seed)
        covered += low <= 0 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_equal_seeds_give_equal_numbers():
    values, groups = np.arange(20.0), np.arange(20)
    assert interval_of_mean(values, groups, 1) == interval_of_mean(values, groups, 1)
    assert interval_of_mean(values, groups, 1) != interval_of_mean(values, groups, 2)


def test_one_group_has_no_interval():
    with pytest.raises(ValueError, match="at least two groups"):
        interval_of_mean(np.ones(3), np.zeros(3), 0)
