"""BCa bootstrap bounds for many samples of one size, which share their draws.

`scipy.stats.bootstrap` gathers every resample of every sample. Here a resampled mean is a row of
counts times the sample: one matrix product for a whole table. Draws and formula are SciPy's, and so
are the numbers for a sample in ascending order (tests/statistics/test_bootstrap.py). Samples are
sorted first, because seeds have no order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

RESAMPLES = 10_000
SEED = 0
"""Seed of the generator: the same values always have the same interval."""

DRAWN = 1_000
"""Largest sample that is resampled; larger ones use `abc_bounds`."""

_STEP = 1e-5
"""Step of numerical derivatives, in a value's weight."""


@dataclass(frozen=True)
class Statistic:
    """A statistic as a function of two means, [..., columns] each.

    Attributes
    ----------
    least
        The number of values that an interval needs.
    of
        The function: takes both means and the number of values.
    influence
        The influence of each value of two samples, [columns, n], on the statistic or, if
        `logarithmic`, on its logarithm: mean 0, and n times the first-order change the value
        causes.
    logarithmic
        Whether the distribution of the logarithm is the more symmetric one.
    """

    least: int
    of: Callable[[Floats, Floats, int], Floats]
    influence: Callable[[Floats, Floats], Floats]
    logarithmic: bool = False


@dataclass(frozen=True)
class Resamples:
    """The bootstrap's draws for samples of n values: always the same for one n."""

    n: int

    @cached_property
    def shares(self) -> Floats:
        """The weight of each value in every resample, [RESAMPLES, n]."""
        n = self.n
        draws = np.random.default_rng(SEED).integers(0, n, (RESAMPLES, n))
        draws += n * np.arange(RESAMPLES)[:, None]
        counts = np.bincount(draws.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n)
        del draws
        shares: Floats = counts / n
        return shares


def bca_bounds(
    first: Floats,
    second: Floats,
    statistic: Statistic,
    levels: Sequence[float],
    resamples: Resamples,
) -> Floats:
    """Return the bounds of BCa intervals (Efron 1987): resampled, or expanded for large samples.

    Parameters
    ----------
    first, second
        Samples, [columns, n], without gaps, in ascending order.
    statistic
        The statistic of both means.
    levels
        Nominal coverages.
    resamples
        The draws for n values; they are made when a sample first needs them.

    Returns
    -------
    numpy.ndarray
        [levels, 2, columns].
    """
    if resamples.n <= DRAWN:
        return drawn_bounds(first, second, statistic, levels, resamples)
    return abc_bounds(first, second, statistic, levels)


def drawn_bounds(
    first: Floats,
    second: Floats,
    statistic: Statistic,
    levels: Sequence[float],
    resamples: Resamples,
) -> Floats:
    """Return BCa bounds from resamples (Efron and Tibshirani 1993, eq. 14.9-14.15).

    The parameters are those of `bca_bounds`.
    """
    n = first.shape[1]
    point = statistic.of(first.mean(axis=1), second.mean(axis=1), n)
    spread = np.maximum(np.ptp(first, axis=1), np.ptp(second, axis=1))
    of_first = first @ resamples.shares.T
    of_second = of_first if second is first else second @ resamples.shares.T
    resampled = np.sort(statistic.of(of_first, of_second, n), axis=1)
    bias = ndtri(_share_below(resampled, point, 1e-12 * spread))
    acceleration = _acceleration(first, second, statistic)
    tails = _tails(levels)
    shifted = bias + ndtri(tails)
    # A constant column has no spread to correct for, and 0 / 0 here: it is set below.
    with np.errstate(invalid="ignore", divide="ignore"):
        rank = ndtr(bias + shifted / (1 - acceleration * shifted))
    return np.where(spread > 0, _quantiles(resampled, rank), point)


def abc_bounds(
    first: Floats, second: Floats, statistic: Statistic, levels: Sequence[float]
) -> Floats:
    """Return the limit of BCa bounds as the number of draws grows, to second order.

    DiCiccio and Efron (1992), "More accurate confidence intervals in exponential families": ABC.
    From a thousand values on, it differs from resampled bounds by less than two sets of 10,000
    draws differ from each other, and needs no memory. The parameters are those of `bca_bounds`.
    """
    n = first.shape[1]
    means = first.mean(axis=1), second.mean(axis=1)
    point = statistic.of(*means, n)
    parts = first - means[0][:, None], second - means[1][:, None]

    def moved(by: Sequence[Floats]) -> Floats:
        shifted: Floats = statistic.of(means[0][:, None] + by[0], means[1][:, None] + by[1], n)
        return shifted

    with np.errstate(divide="ignore", invalid="ignore"):
        up, down = (moved([sign * _STEP * part for part in parts]) for sign in (1, -1))
        slope = (up - down) / (2 * _STEP)
        bend = (up - 2 * point[:, None] + down).sum(axis=1) / _STEP**2
        squares = (slope**2).sum(axis=1)
        error = np.sqrt(squares) / n
        acceleration = (slope**3).sum(axis=1) / (6 * squares**1.5)
        direction = slope / (n**2 * error[:, None])
        along = [(part * direction).sum(axis=1)[:, None] for part in parts]
        ahead, behind = (moved([sign * _STEP * part for part in along])[:, 0] for sign in (1, -1))
        curve = (ahead - 2 * point + behind) / (2 * error * _STEP**2)
        bias = ndtri(2 * ndtr(acceleration) * ndtr(curve - bend / (2 * n**2 * error)))
        shifted = bias + ndtri(_tails(levels))
        length = shifted / (1 - acceleration * shifted) ** 2
        bounds = statistic.of(
            means[0] + length * along[0][:, 0], means[1] + length * along[1][:, 0], n
        )
    return np.where(np.isfinite(bounds), bounds, point)


def _tails(levels: Sequence[float]) -> Floats:
    """Return the tail probabilities of intervals, [levels, 2, 1]."""
    level = np.asarray(levels, dtype=np.float64)
    return np.stack([(1 - level) / 2, (1 + level) / 2], axis=1)[:, :, None]


def _share_below(resampled: Floats, point: Floats, tolerance: Floats) -> Floats:
    """Return the share of resamples below the point, ties counted half."""
    below = (resampled < (point - tolerance)[:, None]).mean(axis=1)
    not_above = (resampled <= (point + tolerance)[:, None]).mean(axis=1)
    share: Floats = (below + not_above) / 2
    return share


def _acceleration(first: Floats, second: Floats, statistic: Statistic) -> Floats:
    """Return the acceleration from the jackknife's skewness, eq. 14.15."""
    n = first.shape[1]
    means_without_one = [
        (sample.sum(axis=1, keepdims=True) - sample) / (n - 1) for sample in (first, second)
    ]
    without = statistic.of(means_without_one[0], means_without_one[1], n - 1)
    with np.errstate(invalid="ignore"):  # of infinities: then there is no acceleration
        deviation = without.mean(axis=1, keepdims=True) - without
    cubes, squares = (deviation**3).sum(axis=1), (deviation**2).sum(axis=1)
    return ratio(cubes, 6 * squares**1.5, otherwise=0.0)


def _quantiles(ordered: Floats, rank: Floats) -> Floats:
    """Return quantiles of each row, [..., rows], of sorted rows, linearly interpolated."""
    position = np.nan_to_num(rank) * (ordered.shape[1] - 1)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, ordered.shape[1] - 1)
    rows = np.arange(len(ordered))
    start, end = ordered[rows, below], ordered[rows, above]
    # Two infinities are as far apart as two equal numbers.
    step = np.subtract(end, start, out=np.zeros_like(start), where=start != end)
    quantiles: Floats = start + (position - below) * step
    return quantiles


def ratio(top: ArrayLike, bottom: ArrayLike, otherwise: float = np.nan) -> Floats:
    """Divide element by element; `otherwise` where the divisor is not above 0."""
    over, under = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    result: Floats = np.full(over.shape, otherwise)
    np.divide(over, under, out=result, where=under > 0)
    return result
