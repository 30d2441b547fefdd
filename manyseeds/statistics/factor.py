"""The ratio of errors: secondary, because it jumps where few errors are left.

Rule for zero errors: a treatment without any error has an infinite factor; where the baseline
has none either, nothing changed and the factor is 1. Only what depends on order alone (median,
share that reaches a figure, percentile) is reported of factors, so that infinity counts as large
and distorts nothing.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from manyseeds.statistics.bootstrap import LEVEL, Floats, finite_mean, ratio
from manyseeds.statistics.pairs import Pairs

_NO_ERROR = 1e-9
"""Accuracies are shares of at most some 10,000 images: less than this is rounding."""


def error_factors(pairs: Pairs, backend: str) -> Floats:
    """Return the baseline's error over the treatment's, by seed; NaN where a pair is lost."""
    treatment, baseline = 1 - pairs.view(backend)
    errors = np.where(treatment < _NO_ERROR, 0.0, treatment)
    factors = ratio(baseline, errors, otherwise=np.inf)
    factors[(errors == 0) & (baseline < _NO_ERROR)] = 1.0
    factors[np.isnan(treatment)] = np.nan
    return factors


def reached(factors: Floats, figure: float) -> tuple[float, float, float]:
    """Return the share of factors that reach a figure, with its interval.

    Parameters
    ----------
    factors
        [seeds], or [views, seeds] where several backends or cases have the seed: it counts
        once, with the share of its views that reach the figure.
    figure
        What is to be reached.

    Returns
    -------
    tuple[float, float, float]
        Share, low, high: Clopper and Pearson's (1934) exact interval, of which the beta form
        takes counts that are not whole as well. NaN without values.
    """
    views = np.atleast_2d(factors)
    there = (views >= figure - 1e-12 * abs(figure)).astype(float)
    by_seed = finite_mean(np.where(np.isnan(views), np.nan, there))
    by_seed = by_seed[np.isfinite(by_seed)]
    if not len(by_seed):
        return np.nan, np.nan, np.nan
    n, count = len(by_seed), float(by_seed.sum())
    tail = (1 - LEVEL) / 2
    low = betaincinv(count, n - count + 1, tail) if count > 0 else 0.0
    high = betaincinv(count + 1, n - count, 1 - tail) if count < n else 1.0
    return count / n, float(low), float(high)
