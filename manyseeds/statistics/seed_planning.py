"""Planning before a run: how many seeds the claims of a suite need."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from manyseeds.statistics.bootstrap import LEVEL
from manyseeds.statistics.power import POWER, seeds_to_detect
from manyseeds.suite.claims import Claim, Difference, ThresholdClaim, metric_of
from manyseeds.suite.suite import Suite

COLUMNS = ["claim", "metric", "sd", "least_effect", "seeds_for_sign", "seeds_to_hold"]


def detection_table(
    suite: Suite, spreads: Mapping[str, float], effect: float, power: float = POWER
) -> pd.DataFrame:
    """Return how many seeds it takes to detect an effect, claim by claim.

    Parameters
    ----------
    suite
        The suite; claims about differences of an accuracy or a loss are planned.
    spreads
        The standard deviation over seeds of the paired improvement, by claim; NaN if unknown.
    effect
        The assumed true improvement, in the metric's unit.
    power
        The required chance of detecting it.

    Returns
    -------
    pandas.DataFrame
        `claim`, `metric`, `sd`, `least_effect`, `seeds_for_sign` (for an interval that excludes 0)
        and `seeds_to_hold` (for an interval beyond the least effect; infinite where the effect is
        not beyond it). The intervals are those of a family of all claims, before any is settled.
    """
    level = 1 - (1 - LEVEL) / max(1, len(suite.claims))
    rows = [
        {
            "claim": claim.name,
            "metric": metric_of(claim),
            "sd": sd,
            "least_effect": claim.least_effect,
            "seeds_for_sign": seeds_to_detect(effect, sd, 0.0, level, power),
            "seeds_to_hold": seeds_to_detect(effect, sd, claim.least_effect, level, power),
        }
        for claim in suite.claims
        if planned_for(claim)
        for sd in [spreads.get(claim.name, np.nan)]
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def planned_for(claim: Claim) -> bool:
    """Return whether a claim is about a difference in a metric's own unit."""
    return isinstance(claim, Difference | ThresholdClaim)
