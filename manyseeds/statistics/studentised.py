"""Bounds by Student's t, plain and corrected for skewness.

The bootstrap of few values is too narrow: resampled means vary with the variance over n instead of
n - 1, their quantiles are a normal's instead of a t's, and none lies beyond the observed values
(Hesterberg 2015, "What teachers should know about the bootstrap"). Bounds by t are exact for normal
values, and those of Hall's transformation nearly so for skewed ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from manyseeds.statistics.resampling import Floats, Statistic, ratio

_STRAIGHT = 1e-6
"""Skewness below this bends nothing, and dividing by it would only add noise."""


def t_bounds(
    first: Floats, second: Floats, statistic: Statistic, levels: Sequence[float]
) -> Floats:
    """Return the outer bounds of Student's interval and Hall's.

    The parameters are those of `bca_bounds`. For statistics other than means, the influence of the
    values takes their place.

    Returns
    -------
    numpy.ndarray
        [levels, 2, columns]; NaN where the influence is not finite.
    """
    n = first.shape[1]
    point = statistic.of(first.mean(axis=1), second.mean(axis=1), n)
    influence = statistic.influence(first, second)
    squares = (influence**2).sum(axis=1)
    error = np.sqrt(squares / (n * (n - 1)))
    skewness = np.sqrt(n) * ratio((influence**3).sum(axis=1), squares**1.5, otherwise=0.0)
    level = np.asarray(levels, dtype=np.float64)
    t = stats.t.ppf((1 + level) / 2, n - 1)[:, None]
    low = np.maximum(t, skewed(t, skewness, n))
    high = np.minimum(-t, skewed(-t, skewness, n))
    moved = error * -np.stack([low, high], axis=1)
    bounds: Floats = point * np.exp(moved) if statistic.logarithmic else point + moved
    return bounds


def skewed(t: Floats, skewness: Floats, n: int) -> Floats:
    """Return the quantile of a studentised mean of skewed values, from the quantile t without skew.

    Hall (1992), "On the removal of skewness by transformation": his cubic, which removes the
    skewness of the studentised mean, increases everywhere and is inverted here.

    Parameters
    ----------
    t
        Quantiles of Student's t.
    skewness
        The skewness of the values: the third central moment over the 3/2 power of the second.
    n
        The number of values.
    """
    bend = skewness / np.sqrt(n)
    straight = np.abs(bend) < _STRAIGHT
    divisor = np.where(straight, 1.0, bend)
    bent = 3 / divisor * (np.cbrt(1 + bend * (t - bend / 6)) - 1)
    quantile: Floats = np.where(straight, t, bent)
    return quantile
