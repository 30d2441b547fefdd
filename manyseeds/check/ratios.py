"""Ratios of two sets of measurements that were taken in several processes each, with intervals.

Two measurements in one process are more alike than two in different ones: memory lies elsewhere in
each, threads too. A process is therefore the unit, its rounds only make it precise (Kalibera and
Jones 2013, "Rigorous benchmarking in reasonable time").
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

_MEDIANS = 500


@dataclass(frozen=True)
class Ratio:
    """How many times as much it is now.

    Attributes
    ----------
    value, low, high
        The ratio and its interval.
    sd
        Of the logarithms of the processes' medians, pooled over both sides.
    """

    value: float
    low: float
    high: float
    sd: float


@dataclass(frozen=True)
class Sides:
    """Two sets of measurements, and what resampling made of them.

    What a process measures is the median of its rounds; a typical process is the geometric mean of
    them.

    Attributes
    ----------
    now, then
        Measurements above 0, [processes, rounds].
    typical, typical_then
        Logarithms of what the processes measure.
    drawn
        Logarithms of resampled ratios of typical processes, in ascending order; none where a side
        has a single process.
    """

    now: Floats
    then: Floats
    typical: Floats
    typical_then: Floats
    drawn: Floats

    @classmethod
    def of(cls, now: Floats, then: Floats) -> Sides:
        """Resample both, always with the same generator."""
        generator = np.random.default_rng(SEED)
        logs, logs_then = np.log(now), np.log(then)
        drawn = np.empty(0)
        if min(len(now), len(then)) > 1:
            drawn = np.sort(_resampled(logs, generator) - _resampled(logs_then, generator))
        return cls(now, then, np.median(logs, axis=1), np.median(logs_then, axis=1), drawn)

    def ratio(self, level: float) -> Ratio:
        """Return the ratio of typical processes with an interval of a nominal coverage.

        Each bound is the outermost of two: of the hierarchical bootstrap, which resamples processes
        and then rounds within them (Davison and Hinkley 1997, 3.8), and of Welch's t between
        processes. The first alone covers too seldom with few processes. With a single process on a
        side bounds and sd are NaN.
        """
        estimate = float(self.typical.mean() - self.typical_then.mean())
        if not len(self.drawn):
            return Ratio(math.exp(estimate), math.nan, math.nan, math.nan)
        sd = pooled_sd(self.typical, self.typical_then)
        drawn = np.quantile(self.drawn, [(1 - level) / 2, (1 + level) / 2])
        bounds = np.array([drawn, _welch(self.typical, self.typical_then, level)])
        low, high = bounds[:, 0].min(), bounds[:, 1].max()
        return Ratio(math.exp(estimate), math.exp(low), math.exp(high), sd)


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
    """Return the mean over processes of the medians of their rounds, [RESAMPLES].

    Each process has `_MEDIANS` resampled medians, from which all its draws are taken: to sort anew
    for each of 10,000 resamples would take a second a comparison.
    """
    count, rounds = side.shape
    chosen = generator.integers(0, rounds, (_MEDIANS, rounds))
    medians = np.median(side[:, chosen], axis=2)
    processes = generator.integers(0, count, (RESAMPLES, count))
    which = generator.integers(0, _MEDIANS, (RESAMPLES, count))
    means: Floats = medians[processes, which].mean(axis=1)
    return means


def _welch(now: Floats, then: Floats, level: float) -> tuple[float, float]:
    if np.ptp(now) == np.ptp(then) == 0:
        return now.mean() - then.mean(), now.mean() - then.mean()
    found = stats.ttest_ind(now, then, equal_var=False).confidence_interval(level)
    return float(found.low), float(found.high)
