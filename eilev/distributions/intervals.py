"""Confidence intervals by resampling whole groups, whose rows are not independent."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eilev.episodes.classes import Ints

# Two-sided 95 % of the normal law.
_Z = 1.959964

Figures = Mapping[str, float | int | None]
Interval = tuple[float, float]


def bootstrap_intervals(
    groups: ArrayLike, measure: Callable[[Ints], Figures], resamples: int, rng: np.random.Generator
) -> dict[str, Interval | None]:
    """95 % intervals of figures: the estimate on all rows plus and minus 1.96 standard errors.

    The standard error is the figures' standard deviation over resamples; each draws as many groups
    as there are, with replacement, and takes all rows of a drawn group. (Percentiles would be off:
    a resample repeats rows, which lowers entropies and the number of classes.)

    Args:
        groups: group of each row (num_rows,), such as its video.
        measure: row numbers (any length, repeats too) to figures; None is no figure.
        resamples: at least 2.
        rng: its state decides the intervals.

    Returns:
        Lower and upper end of each figure, None where the figure is.

    Raises:
        ValueError: there are fewer than two groups or resamples.

    Examples:
        Four groups of one row, values 0, 0, 1, 1: the mean is 0.5, and the mean of four draws has
        the standard error sqrt(0.25 / 4) = 0.25, so the interval is close to 0.5 -/+ 0.49.

        >>> values = np.array([0.0, 0.0, 1.0, 1.0])
        >>> mean = lambda rows: {"mean": float(values[rows].mean())}
        >>> found = bootstrap_intervals([0, 1, 2, 3], mean, 4000, np.random.default_rng(0))
        >>> [round(end, 1) for end in found["mean"]]
        [0.0, 1.0]
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    count = int(codes.max(initial=-1)) + 1
    if count < 2 or resamples < 2:
        raise ValueError("an interval needs at least two groups (videos, queries) and resamples")
    members = np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum()[:-1])
    drawn = [
        measure(np.concatenate([members[group] for group in rng.integers(count, size=count)]))
        for _ in range(resamples)
    ]
    estimate = measure(np.arange(codes.size))
    return {
        name: None if value is None else _interval(value, [figures[name] for figures in drawn])
        for name, value in estimate.items()
    }


def _interval(estimate: float, drawn: list[float | int | None]) -> Interval:
    values: NDArray[np.float64] = np.array([v for v in drawn if v is not None], dtype=np.float64)
    margin = _Z * float(values.std(ddof=1)) if values.size > 1 else 0.0
    return estimate - margin, estimate + margin
