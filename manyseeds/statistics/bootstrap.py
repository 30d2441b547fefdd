"""BCa bootstrap intervals of many means, standard deviations or ratios of means at once.

`scipy.stats.bootstrap` gathers every resample of every sample. Here the resamples of all samples
of one size share their draws, so that a resampled mean is a row of counts times the sample: one
matrix product for a whole table. Draws and formula are SciPy's, and so are the numbers
(tests/statistics/test_bootstrap.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

RESAMPLES = 10_000
LEVEL = 0.95
SEED = 0
"""Of the fixed generator: the same values have the same interval, always."""

_BLOCK = 512
"""Samples handled at once: bounds the memory at 8 · RESAMPLES · _BLOCK bytes, about 40 MB."""


@dataclass(frozen=True)
class Intervals:
    """Estimates with their intervals, one a column.

    Attributes
    ----------
    n
        Finite values in each column, [columns].
    estimate, low, high
        [columns], in the values' unit. NaN where there is nothing to tell: no estimate without
        values, no interval from a single one. Values that are all equal have the interval
        [value, value].
    """

    n: NDArray[np.int64]
    estimate: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class _Statistic:
    """A statistic as a function of two means, [..., columns].

    Attributes
    ----------
    least
        Values that an interval needs.
    of
        The function, of both means and the number of values.
    """

    least: int
    of: Callable[[Floats, Floats, int], Floats]


def _mean(first: Floats, second: Floats, n: int) -> Floats:
    return first


def _sd(first: Floats, second: Floats, n: int) -> Floats:
    """Take the means of values about a point, and of their squares."""
    return np.sqrt(np.maximum(second - first**2, 0.0) * n / (n - 1))


def _log_ratio(first: Floats, second: Floats, n: int) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.log(first) - np.log(second)
    return found


_MEAN = _Statistic(least=2, of=_mean)
_SD = _Statistic(least=3, of=_sd)
_LOG_RATIO = _Statistic(least=2, of=_log_ratio)


def mean_intervals(values: ArrayLike, level: float = LEVEL) -> Intervals:
    """Return the mean of each column with its BCa interval (Efron 1987).

    Parameters
    ----------
    values
        [n, columns]; NaN means no value, so that columns can differ in length.
    level
        Nominal coverage.
    """
    table = _table(values)
    mean = finite_mean(table)
    centred = table - mean  # so that rounding errors stay small
    low, high = _bounds(centred, centred, _MEAN, level)
    return Intervals(np.isfinite(table).sum(axis=0), mean, mean + low, mean + high)


def sd_intervals(values: ArrayLike, level: float = LEVEL) -> Intervals:
    """Return the standard deviation (n - 1) of each column with its BCa interval.

    Parameters
    ----------
    values
        [n, columns]; NaN means no value. An interval needs three values.
    level
        Nominal coverage.
    """
    table = _table(values)
    means = finite_mean(table)
    count = np.isfinite(table).sum(axis=0)
    squares = np.where(np.isfinite(table), (table - means) ** 2, 0.0).sum(axis=0)
    centred = table - means
    low, high = _bounds(centred, centred**2, _SD, level)
    return Intervals(count, np.sqrt(ratio(squares, count - 1)), low, high)


def log_ratio_intervals(top: ArrayLike, bottom: ArrayLike, level: float = LEVEL) -> Intervals:
    """Return the logarithm of the ratio of two columns' means, with its BCa interval.

    The columns are paired: a resample takes both from the same rows.

    Parameters
    ----------
    top, bottom
        [n, columns], not negative; NaN in either means no pair.
    level
        Nominal coverage.

    Returns
    -------
    Intervals
        Infinite where one of the means is 0; NaN where both are, or there is no pair.
    """
    both = np.stack([_table(top), _table(bottom)])
    both[:, ~np.isfinite(both).all(axis=0)] = np.nan
    count = np.isfinite(both[0]).sum(axis=0)
    estimate = _log_ratio(finite_mean(both[0]), finite_mean(both[1]), 0)
    low, high = _bounds(both[0], both[1], _LOG_RATIO, level)
    return Intervals(count, estimate, low, high)


def finite_mean(table: Floats, axis: int = 0) -> Floats:
    """Return the mean of the finite values along an axis; NaN where there are none."""
    finite = np.isfinite(table)
    return ratio(np.where(finite, table, 0.0).sum(axis=axis), finite.sum(axis=axis))


def ratio(top: ArrayLike, bottom: ArrayLike, otherwise: float = np.nan) -> Floats:
    """Divide element by element; `otherwise` where the divisor is not above 0."""
    over, under = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    result: Floats = np.full(over.shape, otherwise)
    np.divide(over, under, out=result, where=under > 0)
    return result


def _table(values: ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    return table[:, None] if table.ndim == 1 else table


def _bounds(
    first: Floats, second: Floats, statistic: _Statistic, level: float
) -> tuple[Floats, Floats]:
    """Return the bounds of a statistic of the means of two tables with the same gaps."""
    finite = np.isfinite(first)
    count = finite.sum(axis=0)
    low = np.full(len(count), np.nan)
    high = np.full(len(count), np.nan)
    for n in np.unique(count[count >= statistic.least]):
        columns = np.flatnonzero(count == n)
        for block in np.split(columns, range(_BLOCK, len(columns), _BLOCK)):
            chosen = finite[:, block].T
            packed = first[:, block].T[chosen].reshape(len(block), n).T
            other = packed
            if second is not first:
                other = second[:, block].T[chosen].reshape(len(block), n).T
            low[block], high[block] = _bca(packed, other, statistic, level)
    return low, high


def _bca(
    first: Floats, second: Floats, statistic: _Statistic, level: float
) -> tuple[Floats, Floats]:
    """Efron and Tibshirani 1993, eq. 14.9-14.15, for columns [n, columns] without gaps."""
    n = len(first)
    point = statistic.of(first.mean(axis=0), second.mean(axis=0), n)
    spread = np.maximum(np.ptp(first, axis=0), np.ptp(second, axis=0))
    shares = _shares(n)
    of_first = shares @ first
    of_second = of_first if second is first else shares @ second
    resampled = np.sort(statistic.of(of_first, of_second, n), axis=0)
    bias = ndtri(_share_below(resampled, point, 1e-12 * spread))
    acceleration = _acceleration(first, second, statistic)
    bounds = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + ndtri(tail)
        # A constant column has no spread to correct for, and 0 / 0 here: it is set below.
        with np.errstate(invalid="ignore", divide="ignore"):
            rank = ndtr(bias + shifted / (1 - acceleration * shifted))
        bounds.append(np.where(spread > 0, _quantiles(resampled, rank), point))
    return bounds[0], bounds[1]


@lru_cache(maxsize=1)
def _shares(n: int) -> Floats:
    """Return the weight of each of n values in every resample, [RESAMPLES, n].

    The draws are always the same, and the samples of a report mostly of one size.
    """
    draws = np.random.default_rng(SEED).integers(0, n, (RESAMPLES, n))
    draws += n * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(draws.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n)
    del draws
    shares: Floats = counts / n
    return shares


def _share_below(resampled: Floats, point: Floats, tolerance: Floats) -> Floats:
    """Return the share of resamples below the point, ties counted half."""
    below = (resampled < point - tolerance).mean(axis=0)
    not_above = (resampled <= point + tolerance).mean(axis=0)
    share: Floats = (below + not_above) / 2
    return share


def _acceleration(first: Floats, second: Floats, statistic: _Statistic) -> Floats:
    """Return the jackknife's skewness, eq. 14.15."""
    n = len(first)
    less = [(each.sum(axis=0) - each) / (n - 1) for each in (first, second)]
    without = statistic.of(less[0], less[1], n - 1)
    with np.errstate(invalid="ignore"):  # of infinities: then there is no acceleration
        deviation = without.mean(axis=0) - without
    cubes, squares = (deviation**3).sum(axis=0), (deviation**2).sum(axis=0)
    return ratio(cubes, 6 * squares**1.5, otherwise=0.0)


def _quantiles(ordered: Floats, rank: Floats) -> Floats:
    """Return each column's own quantile of sorted columns, linearly interpolated."""
    place = np.nan_to_num(rank) * (len(ordered) - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    columns = np.arange(ordered.shape[1])
    start, end = ordered[below, columns], ordered[above, columns]
    # Two infinities are as far apart as two equal numbers.
    step = np.subtract(end, start, out=np.zeros_like(start), where=start != end)
    return start + (place - below) * step
