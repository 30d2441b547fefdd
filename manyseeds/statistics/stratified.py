"""Bootstrap over several suites at once: seeds are drawn anew within each, suites are not.

Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice": tasks
are what was chosen to be measured, runs are what chance chose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from manyseeds.statistics.bootstrap import LEVEL, RESAMPLES, SEED, Floats

_BLOCK = 1 << 22
"""Values drawn at a time: bounds the memory at 8 bytes each."""


class Aggregate(NamedTuple):
    """A statistic over all strata with its percentile interval; NaN without values."""

    estimate: float
    low: float
    high: float


def interquartile_mean(pooled: Floats) -> Floats:
    """Return the mean of the middle half of the last axis."""
    n = pooled.shape[-1]
    cut = n // 4
    middle: Floats = np.sort(pooled, axis=-1)[..., cut : n - cut].mean(axis=-1)
    return middle


def mean(pooled: Floats) -> Floats:
    """Return the mean of the last axis."""
    return np.asarray(pooled.mean(axis=-1))


def stratified(
    strata: Sequence[ArrayLike],
    statistic: Callable[[Floats], Floats] = interquartile_mean,
    level: float = LEVEL,
) -> Aggregate:
    """Return a statistic of all values pooled, with its stratified bootstrap interval.

    Parameters
    ----------
    strata
        Each suite's values by seed, comparable between suites (normalised scores, say). NaN means
        no value; a stratum without any is left out.
    statistic
        Of values on the last axis.
    level
        Nominal coverage.
    """
    known = [np.asarray(each, dtype=np.float64) for each in strata]
    known = [each[np.isfinite(each)] for each in known]
    known = [each for each in known if len(each)]
    if not known:
        return Aggregate(np.nan, np.nan, np.nan)
    rng = np.random.default_rng(SEED)
    total = sum(map(len, known))
    block = max(1, _BLOCK // total)
    found = []
    for start in range(0, RESAMPLES, block):
        rows = min(block, RESAMPLES - start)
        drawn = [each[rng.integers(0, len(each), (rows, len(each)))] for each in known]
        found.append(statistic(np.concatenate(drawn, axis=1)))
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(np.concatenate(found), tails)
    return Aggregate(float(statistic(np.concatenate(known))), float(low), float(high))
