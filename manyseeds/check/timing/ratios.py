"""Ratios of two sets of measurements that were taken in several processes each, with intervals.

Two measurements of one preparation are more alike than those of different ones, for its memory lies
elsewhere; two of one process may be more alike than those of different ones. So the units are the
preparations within processes, and rounds only make them precise (Kalibera and Jones 2013, "Rigorous
benchmarking in reasonable time").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyseeds.statistics.power import POWER
from manyseeds.statistics.resampling import RESAMPLES, SEED

Floats = NDArray[np.float64]

MOST_PROCESSES = 1_000
"""That are told to someone who asks how many it takes."""


@dataclass(frozen=True)
class Ratio:
    """How many times as much it is now.

    Attributes
    ----------
    value, low, high
        The ratio and its interval.
    sd
        Of the logarithms of what processes measure, pooled over both sides.
    """

    value: float
    low: float
    high: float
    sd: float


@dataclass(frozen=True)
class Sides:
    """Two sets of measurements, and what resampling made of them.

    What a preparation measures is the median of its rounds, what a process measures the geometric
    mean of its preparations; a typical process is the geometric mean of them.

    Attributes
    ----------
    now, then
        Measurements above 0, [processes, rounds].
    prepared, prepared_then
        Logarithms of what the preparations measure, [processes, preparations].
    drawn
        Logarithms of resampled ratios of typical processes, in ascending order; none where a side
        has a single process.
    """

    now: Floats
    then: Floats
    prepared: Floats
    prepared_then: Floats
    drawn: Floats

    @classmethod
    def of(cls, now: Floats, then: Floats, preparations: tuple[int, int] = (1, 1)) -> Sides:
        """Resample both, always with the same generator.

        Parameters
        ----------
        now, then
            [processes, rounds].
        preparations
            How many share the rounds of a process, one after the other, on each side.
        """
        generator = np.random.default_rng(SEED)
        prepared, prepared_then = map(medians, (now, then), preparations)
        drawn = np.empty(0)
        if min(len(now), len(then)) > 1:
            drawn = np.sort(_resampled(prepared, generator) - _resampled(prepared_then, generator))
        return cls(now, then, prepared, prepared_then, drawn)

    def ratio(self, level: float) -> Ratio:
        """Return the ratio of typical processes with an interval of a nominal coverage.

        Each bound is the outermost of two: of the bootstrap that resamples whole processes (Davison
        and Hinkley 1997, 3.8), and of Welch's t between preparations. The first alone covers too
        seldom with few processes, the second where processes differ by more than their preparations
        do. With a single process on a side bounds
        and sd are NaN.
        """
        estimate = float(self.prepared.mean() - self.prepared_then.mean())
        if not len(self.drawn):
            return Ratio(math.exp(estimate), math.nan, math.nan, math.nan)
        sd = pooled_sd(self.prepared.mean(axis=1), self.prepared_then.mean(axis=1))
        drawn = np.quantile(self.drawn, [(1 - level) / 2, (1 + level) / 2])
        bounds = np.array([drawn, _welch(self.prepared.ravel(), self.prepared_then.ravel(), level)])
        low, high = bounds[:, 0].min(), bounds[:, 1].max()
        return Ratio(math.exp(estimate), math.exp(low), math.exp(high), sd)


def medians(seconds: Floats, preparations: int) -> Floats:
    """Return the logarithm of the median of each preparation's rounds.

    The first preparations have a round more where they cannot be shared out evenly.

    Parameters
    ----------
    seconds
        [processes, rounds, …].
    preparations
        How many share the rounds of a process.

    Returns
    -------
    [processes, preparations, …]
    """
    shares = np.array_split(np.log(seconds), min(preparations, seconds.shape[1]), axis=1)
    return np.stack([np.median(share, axis=1) for share in shares], axis=1)


def pooled_sd(first: Floats, second: Floats) -> float:
    """Return the standard deviation of two samples about their own means."""
    squares = [((side - side.mean()) ** 2).sum() for side in (first, second)]
    return math.sqrt(sum(squares) / (len(first) + len(second) - 2))


def can_decide(now: int, then: int, level: float) -> bool:
    """Return whether so many processes a side can have an interval of a coverage at all.

    The most extreme resample has one process only, on each side: with n and m of them that is one
    resample in n^n m^m. Where it is less rare than the interval's tail, no resample lies beyond the
    bound, and the interval is merely the range.
    """
    return min(now, then) > 1 and now**-now * then**-then <= (1 - level) / 2


def processes_to_settle(ratio: Ratio, floor: float, level: float) -> float:
    """Return how many processes a side it takes to say on which side of the floor the ratio is.

    With the ratio found as the true one, by Student's t, with a power of 80 %.

    Returns
    -------
    float
        Infinity where it takes more than `MOST_PROCESSES`.
    """
    distance = abs(abs(math.log(ratio.value)) - math.log1p(floor))
    for processes in range(2, MOST_PROCESSES + 1):
        freedom = 2 * processes - 2
        quantiles = stats.t.ppf((1 + level) / 2, freedom) + stats.t.ppf(POWER, freedom)
        enough = quantiles * ratio.sd * math.sqrt(2 / processes) <= distance
        if enough and can_decide(processes, processes, level):
            return processes
    return math.inf


def _resampled(side: Floats, generator: np.random.Generator) -> Floats:
    """Return the mean over resampled processes, whose preparations come along, [RESAMPLES]."""
    own = side.mean(axis=1)
    means: Floats = own[generator.integers(0, len(own), (RESAMPLES, len(own)))].mean(axis=1)
    return means


def _welch(now: Floats, then: Floats, level: float) -> tuple[float, float]:
    if np.ptp(now) == np.ptp(then) == 0:
        return now.mean() - then.mean(), now.mean() - then.mean()
    found = stats.ttest_ind(now, then, equal_var=False).confidence_interval(level)
    return float(found.low), float(found.high)
