"""Shares of seeds, with exact intervals: how often one recipe beat another, for instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from manyseeds.statistics.bootstrap import LEVEL


class Share(NamedTuple):
    """A share with its interval; NaN without values."""

    share: float
    low: float
    high: float


def share_of(values: ArrayLike, level: float = LEVEL) -> Share:
    """Return the mean of values between 0 and 1 with Clopper and Pearson's (1934) interval.

    It is exact for counts; the beta form takes counts that are not whole, too: halves for ties,
    thirds where a seed was tried in three ways.

    Parameters
    ----------
    values
        [seeds]; NaN means no value.
    level
        Least coverage.
    """
    return shares_at(values, [level])[0]


def shares_at(values: ArrayLike, levels: Sequence[float]) -> list[Share]:
    """Return what `share_of` does, for several least coverages."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return [Share(np.nan, np.nan, np.nan)] * len(levels)
    n, count = len(known), float(known.sum())
    tails = (1 - np.asarray(levels)) / 2
    ends = np.zeros(len(levels)), np.ones(len(levels))
    low = betaincinv(count, n - count + 1, tails) if count > 0 else ends[0]
    high = betaincinv(count + 1, n - count, 1 - tails) if count < n else ends[1]
    return [Share(count / n, float(a), float(b)) for a, b in zip(low, high, strict=True)]
