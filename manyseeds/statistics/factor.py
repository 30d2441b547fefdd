"""The ratio of errors: secondary, because it jumps where few errors are left.

Rule for zero errors: a treatment without any error has an infinite factor; where the baseline
has none either, nothing changed and the factor is 1. Only what depends on order alone (median,
share that reaches a figure, percentile) is reported of factors, so that infinity counts as large
and distorts nothing.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from manyseeds.statistics.bootstrap import LEVEL, Floats, ratio
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


def reached(values: Floats, figure: float) -> tuple[float, float, float]:
    """Return the share of values that reach a figure, with its exact interval.

    The interval is Clopper and Pearson's (1934). NaN without values.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan, np.nan
    n = len(values)
    count = int((values >= figure - 1e-12 * abs(figure)).sum())
    tail = (1 - LEVEL) / 2
    low = betaincinv(count, n - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, n - count, 1 - tail) if count < n else 1.0
    return count / n, float(low), float(high)
