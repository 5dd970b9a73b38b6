"""Rank correlations of many resamples at once, and bootstrap intervals from them."""

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

NUM_RESAMPLES = 2000
Correlation = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (..., N), (..., N) -> (...)


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the ranks, ties at their mean: `(..., N)` twice to `(...)`; NaN where all are alike."""
    x, y = (rankdata(values, axis=-1) for values in (x, y))
    x, y = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (x, y))
    with np.errstate(invalid="ignore"):
        return (x * y).sum(axis=-1) / np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))


def kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tau-b, which knows of ties: `(..., N)` twice to `(...)`; NaN where all are alike."""
    x, y = (rankdata(values, axis=-1) for values in (x, y))  # infinities have no difference, their ranks have
    x, y = (np.sign(ranks[..., :, None] - ranks[..., None, :]) for ranks in (x, y))  # (..., N, N)
    with np.errstate(invalid="ignore"):
        return (x * y).sum(axis=(-2, -1)) / np.sqrt((x * x).sum(axis=(-2, -1)) * (y * y).sum(axis=(-2, -1)))


def of_seeds(correlation: Correlation, measure: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The mean over the seeds of a measure, `(S, ..., N)`, of its correlation with the target, `(..., N)`."""
    return np.mean([correlation(values, target) for values in measure], axis=0)


def resamples(num: int) -> np.ndarray:
    """Positions of `num` things drawn with replacement: `(NUM_RESAMPLES, num)`, always the same."""
    return np.random.default_rng(0).integers(num, size=(NUM_RESAMPLES, num))


def interval(statistics: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of what the resamples give (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, 13.3).

    Resamples that happen to be alike throughout have no correlation and are left out.
    """
    low, high = np.nanpercentile(statistics, [2.5, 97.5])
    return float(low), float(high)
