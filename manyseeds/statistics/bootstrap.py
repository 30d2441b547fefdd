"""Intervals of many means, standard deviations or ratios of means at once.

Each bound is the outermost of three: BCa's (`manyseeds.statistics.resampling`), Student's, and
Student's corrected for skewness (`manyseeds.statistics.studentised`). Any one of them alone covers
too seldom somewhere: BCa of few values, t of skewed ones. What they cover together is in
reports/simulation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from manyseeds.statistics.resampling import (
    RESAMPLES,
    SEED,
    Floats,
    Statistic,
    bca_bounds,
    ratio,
)
from manyseeds.statistics.studentised import t_bounds

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "SEED",
    "Floats",
    "Intervals",
    "finite_mean",
    "log_ratio_intervals",
    "log_ratio_intervals_at",
    "mean_intervals",
    "mean_intervals_at",
    "ratio",
    "sd_intervals",
]

LEVEL = 0.95

_BLOCK = 256
"""Samples handled at once: bounds the memory at 8 · RESAMPLES · _BLOCK bytes, about 20 MB."""


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

    n: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    estimate: Floats
    low: Floats
    high: Floats


def _first_mean(first: Floats, second: Floats, n: int) -> Floats:
    return first


def _from_mean(first: Floats, second: Floats) -> Floats:
    away: Floats = first - first.mean(axis=1, keepdims=True)
    return away


def _sd(first: Floats, second: Floats, n: int) -> Floats:
    """Take the means of values about a point, and of their squares."""
    return np.sqrt(np.maximum(second - first**2, 0.0) * n / (n - 1))


def _of_log_sd(first: Floats, second: Floats) -> Floats:
    squares = _from_mean(first, first) ** 2
    means = squares.mean(axis=1, keepdims=True)
    return ratio(squares - means, np.broadcast_to(2 * means, squares.shape), otherwise=0.0)


def _log_ratio(first: Floats, second: Floats, n: int) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.log(first) - np.log(second)
    return found


def _of_log_ratio(first: Floats, second: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        top, bottom = (each / each.mean(axis=1, keepdims=True) for each in (first, second))
    found: Floats = top - bottom
    return found


_MEAN = Statistic(2, _first_mean, _from_mean)
_SPREAD = Statistic(3, _sd, _of_log_sd, logarithmic=True)
_LOG_RATIO = Statistic(2, _log_ratio, _of_log_ratio)


def mean_intervals(values: ArrayLike, level: float = LEVEL) -> Intervals:
    """Return the mean of each column with its interval.

    Parameters
    ----------
    values
        [n, columns]; NaN means no value, so that columns can differ in length.
    level
        Nominal coverage.
    """
    return mean_intervals_at(values, [level])[0]


def mean_intervals_at(values: ArrayLike, levels: Sequence[float]) -> list[Intervals]:
    """Return what `mean_intervals` does, for several nominal coverages from the same draws."""
    table = _table(values)
    mean = finite_mean(table)
    centred = table - mean  # so that rounding errors stay small
    count = np.isfinite(table).sum(axis=0)
    bounds = _bounds(centred, centred, _MEAN, levels)
    return [Intervals(count, mean, mean + low, mean + high) for low, high in bounds]


def sd_intervals(values: ArrayLike, level: float = LEVEL) -> Intervals:
    """Return the standard deviation (n - 1) of each column with its interval.

    Parameters
    ----------
    values
        [n, columns]; NaN means no value. An interval needs three values.
    level
        Nominal coverage.
    """
    table = _table(values)
    centred = table - finite_mean(table)
    count = np.isfinite(table).sum(axis=0)
    squares = np.where(np.isfinite(table), centred**2, 0.0).sum(axis=0)
    ((low, high),) = _bounds(centred, centred**2, _SPREAD, [level])
    return Intervals(count, np.sqrt(ratio(squares, count - 1)), low, high)


def log_ratio_intervals(top: ArrayLike, bottom: ArrayLike, level: float = LEVEL) -> Intervals:
    """Return the logarithm of the ratio of two columns' means, with its interval.

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
    return log_ratio_intervals_at(top, bottom, [level])[0]


def log_ratio_intervals_at(
    top: ArrayLike, bottom: ArrayLike, levels: Sequence[float]
) -> list[Intervals]:
    """Return what `log_ratio_intervals` does, for several nominal coverages."""
    both = np.stack([_table(top), _table(bottom)])
    both[:, ~np.isfinite(both).all(axis=0)] = np.nan
    count = np.isfinite(both[0]).sum(axis=0)
    estimate = _log_ratio(finite_mean(both[0]), finite_mean(both[1]), 0)
    bounds = _bounds(both[0], both[1], _LOG_RATIO, levels)
    return [Intervals(count, estimate, low, high) for low, high in bounds]


def finite_mean(table: Floats, axis: int = 0) -> Floats:
    """Return the mean of the finite values along an axis; NaN where there are none."""
    finite = np.isfinite(table)
    return ratio(np.where(finite, table, 0.0).sum(axis=axis), finite.sum(axis=axis))


def _table(values: ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    return table[:, None] if table.ndim == 1 else table


def _bounds(first: Floats, second: Floats, statistic: Statistic, levels: Sequence[float]) -> Floats:
    """Return the bounds, [levels, 2, columns], of two tables [n, columns] with the same gaps."""
    finite = np.isfinite(first)
    count = finite.sum(axis=0)
    found = np.full((len(levels), 2, len(count)), np.nan)
    for n in np.unique(count[count >= statistic.least]):
        columns = np.flatnonzero(count == n)
        for block in np.split(columns, range(_BLOCK, len(columns), _BLOCK)):
            chosen = finite[:, block].T
            samples = [each[:, block].T[chosen].reshape(len(block), n) for each in (first, second)]
            order = np.lexsort((samples[1], samples[0]), axis=1)
            packed, other = (np.take_along_axis(each, order, axis=1) for each in samples)
            other = packed if second is first else other
            found[:, :, block] = _outermost(packed, other, statistic, levels)
    return found


def _outermost(
    first: Floats, second: Floats, statistic: Statistic, levels: Sequence[float]
) -> Floats:
    """Return the outermost bounds, [levels, 2, columns]; those that are NaN do not count."""
    drawn, student = (bounds(first, second, statistic, levels) for bounds in (bca_bounds, t_bounds))
    low = np.fmin(drawn[:, 0], student[:, 0])
    high = np.fmax(drawn[:, 1], student[:, 1])
    return np.stack([low, high], axis=1)
