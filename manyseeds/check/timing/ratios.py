"""Ratios of two sets of measurements, each taken in several processes, with intervals.

Measurements of one preparation are more alike than those of different ones, whose memory is
elsewhere; measurements of one process may be more alike than those of different ones. So the units
are the preparations within processes, and rounds only make them precise (Kalibera and Jones 2013,
"Rigorous benchmarking in reasonable time").
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
"""The largest number of processes that is ever recommended."""


@dataclass(frozen=True)
class RatioEstimate:
    """The ratio of now to then.

    Attributes
    ----------
    value, low, high
        The ratio and its interval.
    sd
        The standard deviation of the processes' logarithms, pooled over both sides.
    """

    value: float
    low: float
    high: float
    sd: float


@dataclass(frozen=True)
class TimedSides:
    """Two sets of measurements, and resampled ratios of them.

    The time of a preparation is the median of its rounds, that of a process the geometric mean of
    its preparations, and that of a typical process the geometric mean of the processes.

    Attributes
    ----------
    now, then
        Measurements above 0, [processes, rounds].
    prepared, prepared_then
        Logarithms of the preparations' times, [processes, preparations].
    drawn
        Logarithms of resampled ratios of typical processes, in ascending order; empty if a side
        has a single process.
    """

    now: Floats
    then: Floats
    prepared: Floats
    prepared_then: Floats
    drawn: Floats

    @classmethod
    def of(cls, now: Floats, then: Floats, preparations: tuple[int, int] = (1, 1)) -> TimedSides:
        """Resample both sides, always with the same generator.

        Parameters
        ----------
        now, then
            [processes, rounds].
        preparations
            How many preparations share the rounds of a process, one after the other, on each side.
        """
        generator = np.random.default_rng(SEED)
        prepared, prepared_then = map(medians, (now, then), preparations)
        drawn = np.empty(0)
        if min(len(now), len(then)) > 1:
            drawn = np.sort(_resampled(prepared, generator) - _resampled(prepared_then, generator))
        return cls(now, then, prepared, prepared_then, drawn)

    def ratio(self, level: float) -> RatioEstimate:
        """Return the ratio of typical processes with an interval of a nominal coverage.

        Each bound is the outer one of two: of the bootstrap that resamples whole processes (Davison
        and Hinkley 1997, 3.8), and of Welch's t between preparations. The first alone covers too
        rarely with few processes, the second if processes differ by more than their preparations
        do. With a single process on a side, the bounds and the sd are NaN.
        """
        estimate = float(self.prepared.mean() - self.prepared_then.mean())
        if not len(self.drawn):
            return RatioEstimate(math.exp(estimate), math.nan, math.nan, math.nan)
        sd = pooled_sd(self.prepared.mean(axis=1), self.prepared_then.mean(axis=1))
        drawn = np.quantile(self.drawn, [(1 - level) / 2, (1 + level) / 2])
        bounds = np.array([drawn, _welch(self.prepared.ravel(), self.prepared_then.ravel(), level)])
        low, high = bounds[:, 0].min(), bounds[:, 1].max()
        return RatioEstimate(math.exp(estimate), math.exp(low), math.exp(high), sd)


def medians(seconds: Floats, preparations: int) -> Floats:
    """Return the logarithm of the median of each preparation's rounds.

    The first preparations have one round more if the rounds cannot be shared evenly.

    Parameters
    ----------
    seconds
        [processes, rounds, …].
    preparations
        How many preparations share the rounds of a process.

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
    """Return whether these numbers of processes allow an interval of this coverage.

    The most extreme resample has a single process on each side: with n and m processes that is one
    resample in n^n m^m. If it is less rare than the interval's tail, no resample lies beyond the
    bound, and the interval is merely the range.
    """
    return min(now, then) > 1 and now**-now * then**-then <= (1 - level) / 2


def processes_to_settle(ratio: RatioEstimate, floor: float, level: float) -> float:
    """Return how many processes per side would show on which side of the floor the ratio lies.

    By Student's t with a power of 80 %, if the estimated ratio is the true one.

    Returns
    -------
    float
        Infinity for more than `MOST_PROCESSES`.
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
    """Return the means over resampled whole processes, [RESAMPLES]."""
    own = side.mean(axis=1)
    means: Floats = own[generator.integers(0, len(own), (RESAMPLES, len(own)))].mean(axis=1)
    return means


def _welch(now: Floats, then: Floats, level: float) -> tuple[float, float]:
    if np.ptp(now) == np.ptp(then) == 0:
        return now.mean() - then.mean(), now.mean() - then.mean()
    interval = stats.ttest_ind(now, then, equal_var=False).confidence_interval(level)
    return float(interval.low), float(interval.high)
