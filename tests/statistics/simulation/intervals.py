"""How often intervals cover the truth."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from manyseeds.statistics.bootstrap import (
    LEVEL,
    log_ratio_intervals,
    mean_intervals,
    sd_intervals,
)
from manyseeds.statistics.shares import share_of

from .counting import Rate

ROUNDING = 1e-12


@dataclass(frozen=True)
class Coverage:
    """How often intervals cover the truth, lie above it and below it; and how wide they are.

    Attributes
    ----------
    covered, above, below
        Of all trials.
    width
        The median, as a multiple of the interval of normal theory for the same seeds.
    """

    covered: Rate
    above: Rate
    below: Rate
    width: float


def _coverage(found, truth, scale):
    above, below = found.low > truth + ROUNDING, found.high < truth - ROUNDING
    width = float(np.median((found.high - found.low) / scale))
    return Coverage(Rate.of(~above & ~below), Rate.of(above), Rate.of(below), width)


def _half_width(n, level=LEVEL):
    return stats.t.ppf((1 + level) / 2, n - 1) / np.sqrt(n)


def of_means(population, n, trials, rng, level=LEVEL, intervals=mean_intervals):
    """Count how often the interval of a mean covers the population's."""
    values = population.draw(rng, (n, trials))
    return _coverage(
        intervals(values, level), population.mean, 2 * _half_width(n, level) * population.sd
    )


def of_spreads(population, n, trials, rng, level=LEVEL):
    """Count how often the interval of a standard deviation covers the population's."""
    values = population.draw(rng, (n, trials))
    tails = stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], n - 1)
    low, high = population.sd * np.sqrt((n - 1) / tails)
    return _coverage(sd_intervals(values, level), population.sd, high - low)


def of_log_ratios(images, n, trials, rng, errors=(0.06, 0.03), level=LEVEL):
    """Count how often the interval of a ratio of mean errors covers that of the true errors."""
    top, bottom = (rng.binomial(images, error, (n, trials)) / images for error in errors)
    variances = [(1 - error) / (error * images) for error in errors]
    scale = 2 * _half_width(n, level) * np.sqrt(sum(variances))
    truth = np.log(errors[0] / errors[1])
    return _coverage(log_ratio_intervals(top, bottom, level), truth, scale)


@dataclass(frozen=True)
class _Bounds:
    low: np.ndarray
    high: np.ndarray


def of_shares(chance, n, trials, rng, level=LEVEL):
    """Count how often the interval of a share covers the chance; counts have n + 1 of them."""
    each = [share_of(np.arange(n) < count, level) for count in range(n + 1)]
    counts = rng.binomial(n, chance, trials)
    found = _Bounds(*(np.array([one[side] for one in each])[counts] for side in (1, 2)))
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(chance * (1 - chance) / n)
    return _coverage(found, chance, 2 * half)
