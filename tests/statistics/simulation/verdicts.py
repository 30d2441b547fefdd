"""How often verdicts are wrong where there is no effect, and right where there is one."""

from dataclasses import dataclass

import numpy as np

from manyseeds.statistics.bootstrap import LEVEL, mean_intervals_at
from manyseeds.statistics.power import power
from manyseeds.statistics.verdict import equivalence, verdict

from .counting import Rate

LEAST = 3.0
"""In standard deviations: so far away that only the bound in question matters."""


@dataclass(frozen=True)
class FalsePositives:
    """How often each verdict is given where the truth lies exactly on its bound.

    Attributes
    ----------
    holds
        The effect is the least effect.
    reversed
        There is no effect.
    negligible
        The effect is as large as the least effect, in favour or against.
    equivalent
        The difference is the margin, in favour or against.
    """

    holds: Rate
    reversed: Rate
    negligible: Rate
    equivalent: Rate


def _given(found, shift, wanted, least, rule=verdict):
    """Count a verdict on improvements that are moved by so much."""
    bounds = zip(found.n, found.low + shift, found.high + shift, strict=True)
    return Rate.of([rule(low, high, least, n) == wanted for n, low, high in bounds])


def false_positives(population, n, trials, rng):
    """Count verdicts at their bounds, for a claim that is alone."""
    values = population.improvements(rng, (n, trials))
    (found,) = mean_intervals_at(values, [LEVEL])
    sides = (LEAST, -LEAST)
    return FalsePositives(
        holds=_given(found, LEAST, "holds", LEAST),
        reversed=_given(found, 0.0, "reversed", LEAST),
        negligible=max((_given(found, s, "negligible", LEAST) for s in sides), key=_share),
        equivalent=max((_given(found, s, "holds", LEAST, equivalence) for s in sides), key=_share),
    )


def _share(rate):
    return rate.share


@dataclass(frozen=True)
class Power:
    """How often a claim holds, and how often it should."""

    effect: float
    held: Rate
    predicted: float


def powers(n, trials, rng, population, predicted=(0.3, 0.5, 0.8)):
    """Count how often claims hold whose effect gives them about these powers."""
    for wanted in predicted:
        effect = _effect(n, wanted)
        values = population.improvements(rng, (n, trials), effect)
        (found,) = mean_intervals_at(values, [LEVEL])
        yield Power(effect, _given(found, 0.0, "holds", 0.0), power(n, effect, 1.0, 0.0))


def _effect(n, wanted):
    """Return the effect, in standard deviations, that so many seeds show with this power."""
    tried = np.linspace(0, 6, 601)
    return float(np.interp(wanted, [power(n, effect, 1.0, 0.0) for effect in tried], tried))
