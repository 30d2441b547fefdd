"""Shares of seeds with exact intervals: how often one recipe beat another, for instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import proportion_confint

from manyseeds.statistics.bootstrap import LEVEL


class ShareEstimate(NamedTuple):
    """A share with its interval; NaN without values."""

    share: float
    low: float
    high: float


def share_of(values: ArrayLike, level: float = LEVEL) -> ShareEstimate:
    """Return the mean of values between 0 and 1 with its Clopper-Pearson (1934) interval.

    The interval is exact for counts. Its beta form also takes counts that are not whole: halves for
    ties, thirds where a seed was tried in three ways.

    Parameters
    ----------
    values
        [seeds]; NaN means no value.
    level
        The least coverage.

    Examples
    --------
    >>> estimate = share_of([1, 1, 1, 0])
    >>> [round(number, 3) for number in estimate]
    [0.75, 0.194, 0.994]
    """
    return shares_at(values, [level])[0]


def shares_at(values: ArrayLike, levels: Sequence[float]) -> list[ShareEstimate]:
    """Return the result of `share_of` at several levels."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return [ShareEstimate(np.nan, np.nan, np.nan)] * len(levels)
    n, count = len(known), float(known.sum())
    bounds = [proportion_confint(count, n, alpha=1 - level, method="beta") for level in levels]
    return [ShareEstimate(count / n, float(low), float(high)) for low, high in bounds]
