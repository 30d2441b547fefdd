"""How often a family of claims judged together has any wrong verdict."""

from dataclasses import dataclass

import numpy as np

from manyseeds.statistics.bootstrap import mean_intervals_at
from manyseeds.statistics.estimates import Estimate
from manyseeds.statistics.family import FamilyClaim, judge_family, level_among

from .counting import Rate
from .populations import NORMAL

LEAST = 3.0
FAR = 9.0
SIZES = (1, 5, 10)


@dataclass(frozen=True)
class Family:
    """Claims judged together.

    Attributes
    ----------
    effects
        Of each claim, in standard deviations: on the bound (`LEAST`) or far beyond it.
    equivalence
        Whether they claim that there is no more than the least effect.
    """

    effects: tuple[float, ...]
    equivalence: bool = False

    def allowed(self, effect):
        """Return the verdicts that are right for an effect: on the bound, only `inconclusive`."""
        return {"inconclusive", "holds"} if effect > LEAST else {"inconclusive"}


def on_the_bound(k):
    """Return a family of which every claim lies on its bound."""
    return Family((LEAST,) * k)


def half_settled(k):
    """Return a family of which every other claim is far beyond its bound."""
    return Family(tuple(FAR if claim % 2 else LEAST for claim in range(k)))


def on_the_margin(k):
    """Return a family of equivalences, all of which just miss."""
    return Family((LEAST,) * k, equivalence=True)


KINDS = (on_the_bound, half_settled, on_the_margin)


def improvements(effects, n, trials, rng, correlation=0.0, population=NORMAL):
    """Draw improvements of claims that share part of their seeds' luck, [n, trials, claims]."""
    own = population.improvements(rng, (n, trials, len(effects)))
    shared = population.improvements(rng, (n, trials, 1))
    together = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return together + np.asarray(effects)


def error_rate(family, n, trials, rng, correlation=0.0, population=NORMAL):
    """Count families in which any claim has a verdict that its effect does not bear out."""
    values = improvements(family.effects, n, trials, rng, correlation, population)
    k = len(family.effects)
    levels = [level_among(left) for left in range(1, k + 1)]
    intervals = mean_intervals_at(values.reshape(n, trials * k), levels)
    found = dict(zip(levels, intervals, strict=True))
    allowed = [family.allowed(effect) for effect in family.effects]

    def question(column):
        def estimate(level):
            at = found[level]
            return Estimate(n, at.estimate[column], at.low[column], at.high[column])

        return FamilyClaim(estimate, LEAST, family.equivalence)

    def wrong(trial):
        verdicts = judge_family([question(trial * k + claim) for claim in range(k)])
        return any(one.verdict not in fine for one, fine in zip(verdicts, allowed, strict=True))

    return Rate.of([wrong(trial) for trial in range(trials)])
