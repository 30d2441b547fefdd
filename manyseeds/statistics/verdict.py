"""The verdict on a claim: its interval compared with the least effect that counts."""

from __future__ import annotations

import math
from typing import Literal

from scipy.special import ndtri

from manyseeds.statistics.bootstrap import LEVEL

Verdict = Literal["holds", "reversed", "negligible", "inconclusive"]

LEAST_PAIRS = 5
"""With fewer pairs the verdict is always `inconclusive`: a bootstrap of so few says very little.

Two seeds that happen to agree have an interval of width 0, which proves nothing.
"""


def verdict(low: float, high: float, least_effect: float, pairs: int) -> Verdict:
    """Judge an improvement by its interval.

    Parameters
    ----------
    low, high
        The interval of the mean improvement; positive is in favour of the claim.
    least_effect
        The least improvement that counts, positive, in the same unit.
    pairs
        The number of pairs behind the interval.

    Returns
    -------
    Verdict
        The first that applies: "inconclusive" with fewer than `LEAST_PAIRS` pairs or without an
        interval (NaN) · "holds", the interval lies wholly above the least effect · "reversed",
        wholly below 0 · "negligible", wholly within ± the least effect · "inconclusive".

    Examples
    --------
    >>> verdict(0.012, 0.020, least_effect=0.01, pairs=30)
    'holds'
    """
    if pairs < LEAST_PAIRS or math.isnan(low) or math.isnan(high):
        return "inconclusive"
    if low > least_effect:
        return "holds"
    if high < 0:
        return "reversed"
    if -least_effect < low and high < least_effect:
        return "negligible"
    return "inconclusive"


def equivalence(low: float, high: float, margin: float, pairs: int) -> Verdict:
    """Judge a claim that two recipes differ by less than a margin.

    Parameters
    ----------
    low, high, pairs
        As for `verdict`.
    margin
        Positive, in the same unit.

    Returns
    -------
    Verdict
        "holds", the interval lies wholly within ± the margin · "reversed", wholly outside of it ·
        "inconclusive".
    """
    if pairs < LEAST_PAIRS or math.isnan(low) or math.isnan(high):
        return "inconclusive"
    if -margin < low and high < margin:
        return "holds"
    return "reversed" if low > margin or high < -margin else "inconclusive"


def seeds_to_settle(mean: float, sd: float, least_effect: float, level: float = LEVEL) -> float:
    """Return about how many seeds would settle the claim if mean and sd stayed the same.

    The half width of the interval, z · sd / √n, must fall below the distance from the mean to the
    nearest bound of the verdict that the mean points to. If it points to two verdicts, the one
    settled first counts.

    Parameters
    ----------
    mean, sd
        Mean and standard deviation of the paired improvements.
    least_effect
        As in `verdict`.
    level
        The coverage of the interval that the verdict rests on.

    Returns
    -------
    float
        A whole number, at least `LEAST_PAIRS`; infinity where the mean lies on a bound; NaN where
        mean or sd is unknown.
    """
    if math.isnan(mean) or math.isnan(sd):
        return math.nan
    distance = max(mean - least_effect, -mean, least_effect - abs(mean))
    if distance <= 0:
        return math.inf
    half_width = float(ndtri((1 + level) / 2)) * sd
    return float(max(LEAST_PAIRS, math.ceil((half_width / distance) ** 2)))
