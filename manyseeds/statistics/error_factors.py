"""Factors of errors, baseline over treatment: secondary, because few errors make them jump.

Rule for zero errors: a treatment without any error has an infinite factor; if the baseline has none
either, nothing changed and the factor is 1. Only order statistics of factors are reported (median,
share that reaches a figure, percentile), so infinity counts as large and distorts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyseeds.statistics.bootstrap import Floats, finite_mean, ratio
from manyseeds.statistics.pairs import Pairs
from manyseeds.statistics.shares import ShareEstimate, share_of

_NO_ERROR = 1e-9
"""Accuracies are shares of at most some 10,000 images: a smaller error is rounding."""


def error_factors(pairs: Pairs, backend: str) -> Floats:
    """Return the baseline's error over the treatment's, by seed; NaN where a pair is lost."""
    treatment, baseline = 1 - pairs.view(backend)
    errors = np.where(treatment < _NO_ERROR, 0.0, treatment)
    factors = ratio(baseline, errors, otherwise=np.inf)
    factors[(errors == 0) & (baseline < _NO_ERROR)] = 1.0
    factors[np.isnan(treatment)] = np.nan
    return factors


def factor_views(pairs: Sequence[Pairs], backends: Sequence[str]) -> Floats:
    """Return the factors of several cases and backends, [views, seeds], without empty views."""
    views = [
        error_factors(case, name) for case in pairs for name in backends if name in case.backends
    ]
    return np.stack(views) if views else np.empty((0, 0))


def reached(factors: Floats, figure: float) -> ShareEstimate:
    """Return the share of factors that reach a figure, with its exact interval.

    Parameters
    ----------
    factors
        [seeds], or [views, seeds] where several backends or cases have the seed: then it counts
        once, with the share of its views that reach the figure.
    figure
        The figure to reach.
    """
    views = np.atleast_2d(factors)
    reaches = (views >= figure - 1e-12 * abs(figure)).astype(float)
    return share_of(finite_mean(np.where(np.isnan(views), np.nan, reaches)))
