"""Whether a model is as sure of its narrations as it is right."""

import numpy as np
from numpy.typing import ArrayLike

NUM_BINS = 10


def calibration_error(confidences: ArrayLike, right: ArrayLike) -> float | None:
    """Expected calibration error over ten equal bins (Guo et al., arXiv 1706.04599, eq. 5).

    Args:
        confidences: in [0, 1], one per answer.
        right: whether each answer is right.

    Returns:
        Mean distance between the confidence and the accuracy of a bin, weighted by its answers;
        None without answers.

    Examples:
        Two answers at 0.9, one of them right; two at 0.1, none right:

        >>> round(calibration_error([0.9, 0.9, 0.1, 0.1], [True, False, False, False]), 6)
        0.25
    """
    sure = np.asarray(confidences, dtype=np.float64)
    if not sure.size:
        return None
    gaps = sure - np.asarray(right, dtype=np.float64)
    bins = np.minimum((sure * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    return float(np.abs(np.bincount(bins, gaps, NUM_BINS)).sum() / sure.size)
