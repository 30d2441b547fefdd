"""Intervals of means, standard deviations and ratios of means, for many samples at once.

Each bound is the outermost of three: the BCa bootstrap's (`manyseeds.statistics.resampling`),
Student's, and Student's corrected for skewness (`manyseeds.statistics.studentised`). Each of them
alone covers too little somewhere: BCa for few values, Student's t for skewed ones.
reports/simulation.md counts what they cover together.
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
    Resamples,
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
"""Nominal coverage of an interval unless another is stated."""

_BLOCK = 256
"""Samples handled at once: bounds the memory at 8 · RESAMPLES · _BLOCK bytes, about 20 MB."""


@dataclass(frozen=True)
class Intervals:
    """Estimates with their intervals, one per column.

    Attributes
    ----------
    n
        The number of finite values in each column, [columns].
    estimate, low, high
        [columns], in the values' unit. A column without values has no estimate (NaN), one with a
        single value no interval. If all values are equal the interval is [value, value].
    """

    n: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    estimate: Floats
    low: Floats
    high: Floats


def _mean(first: Floats, second: Floats, n: int) -> Floats:
    return first


def _deviation(first: Floats, second: Floats) -> Floats:
    deviation: Floats = first - first.mean(axis=1, keepdims=True)
    return deviation


def _sd(first: Floats, second: Floats, n: int) -> Floats:
    """Return the standard deviation from the means of values about a point and of their squares."""
    return np.sqrt(np.maximum(second - first**2, 0.0) * n / (n - 1))


def _log_sd_influence(first: Floats, second: Floats) -> Floats:
    squares = _deviation(first, first) ** 2
    means = squares.mean(axis=1, keepdims=True)
    return ratio(squares - means, np.broadcast_to(2 * means, squares.shape), otherwise=0.0)


def _log_ratio(first: Floats, second: Floats, n: int) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio: Floats = np.log(first) - np.log(second)
    return log_ratio


def _log_ratio_influence(first: Floats, second: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        top, bottom = (sample / sample.mean(axis=1, keepdims=True) for sample in (first, second))
    influence: Floats = top - bottom
    return influence


_MEAN = Statistic(2, _mean, _deviation)
_SPREAD = Statistic(3, _sd, _log_sd_influence, logarithmic=True)
_LOG_RATIO = Statistic(2, _log_ratio, _log_ratio_influence)


def mean_intervals(values: ArrayLike, level: float = LEVEL) -> Intervals:
    """Return the mean of each column with its interval.

    Parameters
    ----------
    values
        [n, columns]; NaN means no value, so columns can differ in length.
    level
        Nominal coverage.

    Examples
    --------
    >>> intervals = mean_intervals([0.90, 0.92, 0.91, 0.93, 0.92])
    >>> [round(float(bound[0]), 3) for bound in (intervals.low, intervals.estimate, intervals.high)]
    [0.9, 0.916, 0.93]
    """
    return mean_intervals_at(values, [level])[0]


def mean_intervals_at(values: ArrayLike, levels: Sequence[float]) -> list[Intervals]:
    """Return the result of `mean_intervals` at several levels, from the same draws."""
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

    The columns are paired: a resample takes the same rows from both.

    Parameters
    ----------
    top, bottom
        [n, columns], not negative; NaN in either means no pair.
    level
        Nominal coverage.

    Returns
    -------
    Intervals
        Infinite where one of the means is 0; NaN where both are, or where there is no pair.
    """
    return log_ratio_intervals_at(top, bottom, [level])[0]


def log_ratio_intervals_at(
    top: ArrayLike, bottom: ArrayLike, levels: Sequence[float]
) -> list[Intervals]:
    """Return the result of `log_ratio_intervals` at several levels."""
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
    """Return bounds, [levels, 2, columns], for two tables [n, columns] with the same gaps."""
    finite = np.isfinite(first)
    count = finite.sum(axis=0)
    bounds = np.full((len(levels), 2, len(count)), np.nan)
    for n in np.unique(count[count >= statistic.least]):
        columns, resamples = np.flatnonzero(count == n), Resamples(int(n))
        for block in np.split(columns, range(_BLOCK, len(columns), _BLOCK)):
            present = finite[:, block].T
            samples = [
                table[:, block].T[present].reshape(len(block), n) for table in (first, second)
            ]
            order = np.lexsort((samples[1], samples[0]), axis=1)
            packed, other = (np.take_along_axis(table, order, axis=1) for table in samples)
            other = packed if second is first else other
            bounds[:, :, block] = _outermost(packed, other, statistic, levels, resamples)
    return bounds


def _outermost(
    first: Floats,
    second: Floats,
    statistic: Statistic,
    levels: Sequence[float],
    resamples: Resamples,
) -> Floats:
    """Return the outermost bounds, [levels, 2, columns], ignoring NaN."""
    drawn = bca_bounds(first, second, statistic, levels, resamples)
    student = t_bounds(first, second, statistic, levels)
    low = np.fmin(drawn[:, 0], student[:, 0])
    high = np.fmax(drawn[:, 1], student[:, 1])
    return np.stack([low, high], axis=1)
