"""The quantities that are compared between two entries: means, spread and share of diverged seeds.

Seeds are paired wherever both sides have the same ones. That is valid whatever has changed: a seed
is one draw of the streams, the draws are independent, and the mean difference estimates the
difference of the means. If the streams no longer give both sides the same numbers, the sides of a
pair are independent, and the interval is as wide as that of independent samples: never too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from manyseeds.check.accuracy.comparability import DIVERGED, OK, seeds_of
from manyseeds.check.accuracy.intervals import ComparisonKind, SeedComparison, deviations
from manyseeds.check.baseline import BaselineEntry
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.verdict import LEAST_PAIRS

LEAST_SHARE = 0.1
"""The least change of the share of diverged seeds that counts."""


@dataclass(frozen=True)
class QuantityComparison:
    """One quantity of two entries, and its values over the seeds.

    Attributes
    ----------
    quantity
        "test_accuracy", "test_accuracy spread", "diverged".
    metric
        The metric whose unit it has; "" for shares.
    values
        The values on both sides.
    lost
        How many seeds of either side could not be compared.
    """

    now: BaselineEntry
    then: BaselineEntry
    quantity: str
    metric: str
    values: SeedComparison
    lost: int = 0


def quantities_of(now: BaselineEntry, then: BaselineEntry) -> Iterator[QuantityComparison]:
    """Yield a comparison for every quantity of two entries.

    These are each metric with a least effect, the spread of the suite's own metric, and the share
    of diverged seeds if any diverged.
    """
    primary = now.context["primary"]
    for metric, least in now.context["least_effects"].items():
        if metric in now.arrays or metric in then.arrays:
            yield _metric(now, then, metric, least)
            spread = _metric(now, then, metric, least, spread=True)
            if metric == primary and spread.values.seeds:
                yield spread
    diverged = [_diverged(entry) for entry in (then, now)]
    if any(side.any() for side in diverged):
        values = SeedComparison("shares", diverged[0], diverged[1], LEAST_SHARE)
        yield QuantityComparison(now, then, "diverged", "", values)


def _diverged(entry: BaselineEntry) -> Floats:
    """Return 1 for each delivered seed that diverged, else 0, in the order of the seeds."""
    status = entry.arrays["status"][np.argsort(seeds_of(entry))]
    delivered = status[(status == OK) | (status == DIVERGED)]
    diverged: Floats = (delivered == DIVERGED).astype(np.float64)
    return diverged


def _metric(
    now: BaselineEntry, then: BaselineEntry, metric: str, least: float, *, spread: bool = False
) -> QuantityComparison:
    """Return a comparison of a metric, paired by seed unless too few seeds are shared.

    A diverged seed counts as guessing; the spread is that of the other seeds.
    """
    sides = [_finite_values(entry, metric, diverged=not spread) for entry in (then, now)]
    shared = sorted(sides[0].keys() & sides[1].keys())
    most = max(len(seeds_of(now)), len(seeds_of(then)))
    kind: ComparisonKind = "paired"
    values = [np.array([side[seed] for seed in shared], dtype=np.float64) for side in sides]
    common = np.intersect1d(seeds_of(now), seeds_of(then))
    if len(common) < LEAST_PAIRS:
        kind = "unpaired"
        values = [np.array(list(side.values()), dtype=np.float64) for side in sides]
    if spread:
        values = [deviations(side) for side in values]
    comparison = SeedComparison(kind, values[0], values[1], least)
    quantity = f"{metric} spread" if spread else metric
    lost = most - comparison.seeds
    return QuantityComparison(now, then, quantity, metric, comparison, lost)


def _finite_values(entry: BaselineEntry, metric: str, *, diverged: bool) -> dict[int, float]:
    """Return the finite values of a metric by seed, with or without diverged seeds."""
    status = entry.arrays["status"]
    values = entry.arrays.get(metric, np.full(len(status), np.nan))
    chosen = np.isfinite(values) & ((status == OK) | (diverged & (status == DIVERGED)))
    return dict(zip(seeds_of(entry)[chosen].tolist(), values[chosen].tolist(), strict=True))
