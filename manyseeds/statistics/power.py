"""Power: how likely a number of seeds is to settle a claim, and how many seeds it takes.

Computed for normal paired differences and Student's interval. The intervals that verdicts rest on
are a little wider, so with fewer than 30 seeds the true power is lower than computed here: with 10
seeds about 73 % instead of 80 % (reports/simulation.md).
"""

from __future__ import annotations

import math

from scipy import optimize, stats

from manyseeds.statistics.bootstrap import LEVEL
from manyseeds.statistics.verdict import LEAST_PAIRS

POWER = 0.8
MOST_SEEDS = 1_000_000


def power(
    seeds: float, effect: float, sd: float, least_effect: float, level: float = LEVEL
) -> float:
    """Return the chance that a claim with this true effect holds.

    The interval of the mean difference must lie above the least effect: Student's t with
    noncentrality (effect - least effect) / (sd / √seeds).

    Parameters
    ----------
    seeds
        The number of pairs.
    effect, sd
        True mean and standard deviation of the paired improvements.
    least_effect
        As in `verdict`; 0 asks for the sign alone.
    level
        The coverage of the interval; the wider one if it is corrected.
    """
    if seeds < LEAST_PAIRS:
        return 0.0
    distance = effect - least_effect
    if sd <= 0:
        return float(distance > 0)
    critical = stats.t.ppf((1 + level) / 2, seeds - 1)
    noncentrality = distance / sd * math.sqrt(seeds)
    chance = float(stats.nct.sf(critical, seeds - 1, noncentrality))
    if math.isnan(chance):  # SciPy gives up far out, where a normal distribution is close enough
        chance = float(stats.norm.sf(critical - noncentrality))
    return chance


def seeds_to_detect(
    effect: float, sd: float, least_effect: float, level: float = LEVEL, required: float = POWER
) -> float:
    """Return how many seeds a claim with this true effect needs to hold with the required power.

    Parameters
    ----------
    effect, sd, least_effect, level
        As for `power`.
    required
        The required power.

    Returns
    -------
    float
        A whole number, at least `LEAST_PAIRS`; infinity where the effect does not exceed the least
        effect, or more than a million seeds would be needed; NaN where effect or sd is unknown.
    """
    if math.isnan(effect) or math.isnan(sd):
        return math.nan
    if effect <= least_effect:
        return math.inf

    def shortfall(seeds: float) -> float:
        return power(seeds, effect, sd, least_effect, level) - required

    if shortfall(LEAST_PAIRS) >= 0:
        return float(LEAST_PAIRS)
    # The normal approximation is low by a few seeds at most: it brackets the answer.
    quantiles = float(stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(required))
    most = 2 * (quantiles * sd / (effect - least_effect)) ** 2 + 10 * LEAST_PAIRS
    if most > MOST_SEEDS:
        return math.inf
    return float(math.ceil(optimize.brentq(shortfall, LEAST_PAIRS, most)))
