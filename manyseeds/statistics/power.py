"""Power: how likely so many seeds are to give a claim its verdict, and how many it takes.

For paired differences that are normal, and Student's interval. The bounds that verdicts rest on lie
a little farther out: of fewer than 30 seeds the power is less than told here, of 10 about 73 % for
80 % (reports/simulation.md).
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

    The interval of the mean of so many differences must lie above the least effect: Student's t,
    noncentral by (effect - least effect) / (sd / √seeds).

    Parameters
    ----------
    seeds
        Pairs.
    effect, sd
        True mean and standard deviation of the paired improvements.
    least_effect
        As in `verdict`; 0 asks for the sign alone.
    level
        Of the interval; of corrected ones the wider.
    """
    if seeds < LEAST_PAIRS:
        return 0.0
    distance = effect - least_effect
    if sd <= 0:
        return float(distance > 0)
    critical = stats.t.ppf((1 + level) / 2, seeds - 1)
    return float(stats.nct.sf(critical, seeds - 1, distance / sd * math.sqrt(seeds)))


def seeds_to_detect(
    effect: float, sd: float, least_effect: float, level: float = LEVEL, wanted: float = POWER
) -> float:
    """Return how many seeds a claim with this true effect needs to hold with the power wanted.

    Parameters
    ----------
    effect, sd, least_effect, level
        As for `power`.
    wanted
        The power.

    Returns
    -------
    float
        A whole number, at least `LEAST_PAIRS`; infinity where the effect is not beyond the least
        one, or more than a million would be needed; NaN where effect or sd is unknown.
    """
    if math.isnan(effect) or math.isnan(sd):
        return math.nan
    if effect <= least_effect:
        return math.inf

    def missing(seeds: float) -> float:
        return power(seeds, effect, sd, least_effect, level) - wanted

    if missing(LEAST_PAIRS) >= 0:
        return float(LEAST_PAIRS)
    # The normal approximation is low by a few seeds at most: it brackets the answer.
    quantiles = float(stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(wanted))
    most = 2 * (quantiles * sd / (effect - least_effect)) ** 2 + 10 * LEAST_PAIRS
    if most > MOST_SEEDS:
        return math.inf
    return float(math.ceil(optimize.brentq(missing, LEAST_PAIRS, most)))
