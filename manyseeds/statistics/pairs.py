"""Pairs by seed: two recipes on the same random streams, whose difference is what claims are about.

Backends are pooled by seed: a seed's value is its average over the backends that have it. Three
frameworks on the same streams are no three times as many seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from manyseeds.statistics.bootstrap import (
    Floats,
    Intervals,
    finite_mean,
    log_ratio_intervals_at,
    mean_intervals_at,
)
from manyseeds.statistics.scores import Scores
from manyseeds.statistics.shares import shares_at
from manyseeds.suite.claims import ClaimMetric, less_is_better

Scale = Literal["difference", "log_ratio", "sign"]

TIE = 1e-12
"""Differences below this are rounding."""

ALL = "all"
"""Stands for all backends, pooled by seed, and for all cases, averaged by seed."""


class Estimate(NamedTuple):
    """A mean improvement with its interval, from so many seeds; NaN where there is none."""

    seeds: int
    improvement: float
    low: float
    high: float

    def within(self, most: float) -> Estimate:
        """Return it with the interval cut off where an improvement cannot be."""
        if math.isinf(most):
            return self
        # NaN stays: it is the first argument.
        return self._replace(low=max(self.low, -most), high=min(self.high, most))


@dataclass(frozen=True)
class Pairs:
    """A treatment and a baseline in one case.

    Attributes
    ----------
    treatment, baseline
        Names of recipes.
    case
        The suite's parameter, or `ALL`.
    metric
        What is compared; accuracies are shares.
    scale
        What the improvement is in: see `estimates`.
    scores
        Treatment and baseline, [2, seeds, backends]: both NaN unless both are `ok`.
    promised
        Whether the plan promises either, [seeds, backends]; a promised pair without scores is
        lost.
    seeds, backends
        The axes.
    most
        The largest improvement that there can be, either way.
    """

    treatment: str
    baseline: str
    case: str
    metric: ClaimMetric
    scale: Scale
    scores: Floats
    promised: NDArray[np.bool_]
    seeds: tuple[int, ...]
    backends: tuple[str, ...]
    most: float = math.inf

    def views(self) -> tuple[str, ...]:
        """Return the backends, and `ALL` for what they say together."""
        return (*self.backends, ALL)

    def view(self, backend: str) -> Floats:
        """Return treatment and baseline by seed, [2, seeds], of one backend or of `ALL`."""
        if backend != ALL:
            one: Floats = self.scores[:, :, self.backends.index(backend)]
            return one
        return finite_mean(self.scores, axis=2)

    def promises(self, backend: str) -> int:
        """Return the number of seeds for which the plan promises either recipe."""
        if backend != ALL:
            return int(self.promised[:, self.backends.index(backend)].sum())
        return int(self.promised.any(axis=1).sum())

    def improvement(self, backend: str) -> Floats:
        """Return by how much the treatment is better, by seed: more accuracy, or less loss.

        Of the scale "sign" one half where it is better, minus one half where it is worse, and over
        several backends their mean; of "log_ratio" the logarithm of how many times smaller its
        error or loss is.
        """
        if self.scale == "sign":
            names = self.backends if backend == ALL else (backend,)
            signs = [_half_signs(self.gain(name)) for name in names]
            return finite_mean(np.stack(signs)) if signs else self.gain(backend)
        if self.scale == "log_ratio":
            with np.errstate(divide="ignore", invalid="ignore"):
                treatment, baseline = np.log(self.errors(backend))
                times: Floats = baseline - treatment
            return times
        return self.gain(backend)

    def errors(self, backend: str) -> Floats:
        """Return the errors, or losses, of treatment and baseline by seed, [2, seeds]."""
        view = self.view(backend)
        errors: Floats = view if less_is_better(self.metric) else 1 - view
        return errors

    def estimate(self, backend: str, level: float) -> Estimate:
        """Return the mean improvement over the seeds, with its interval; see `estimates`."""
        return estimates([(self, backend)], [level])[0][level]

    def gain(self, backend: str) -> Floats:
        """Return treatment minus baseline by seed; of losses the other way round."""
        treatment, baseline = self.view(backend)
        gain: Floats = treatment - baseline
        return -gain if less_is_better(self.metric) else gain


def _half_signs(gain: Floats) -> Floats:
    return np.where(np.abs(gain) < TIE, 0.0, np.sign(gain)) / 2


def estimates(
    views: Sequence[tuple[Pairs, str]], levels: Sequence[float]
) -> list[dict[float, Estimate]]:
    """Return the mean improvement of each view, with its interval at each level.

    Of the scale "difference" the mean of the differences; of "sign" what the probability of
    improvement exceeds one half by, with Clopper and Pearson's interval; of "log_ratio" the
    logarithm of the ratio of the mean errors. All that are bootstrapped share their draws.
    """
    found: list[dict[float, Estimate]] = [{} for _ in views]
    ways = {"difference": _differences, "log_ratio": _log_ratios, "sign": _signs}
    for scale, way in ways.items():
        places = [place for place, (one, _) in enumerate(views) if one.scale == scale]
        if not places:
            continue
        for level, column in zip(levels, way([views[p] for p in places], levels), strict=True):
            for place, estimate in zip(places, column, strict=True):
                found[place][level] = estimate.within(views[place][0].most)
    return found


def _differences(
    views: Sequence[tuple[Pairs, str]], levels: Sequence[float]
) -> list[list[Estimate]]:
    table = side_by_side([one.improvement(backend) for one, backend in views])
    return [_columns(each) for each in mean_intervals_at(table, levels)]


def _log_ratios(
    views: Sequence[tuple[Pairs, str]], levels: Sequence[float]
) -> list[list[Estimate]]:
    errors = [one.errors(backend) for one, backend in views]
    treatment, baseline = (side_by_side([each[side] for each in errors]) for side in (0, 1))
    return [_columns(each) for each in log_ratio_intervals_at(baseline, treatment, levels)]


def _signs(views: Sequence[tuple[Pairs, str]], levels: Sequence[float]) -> list[list[Estimate]]:
    improvements = [one.improvement(backend) for one, backend in views]
    seeds = [int(np.isfinite(each).sum()) for each in improvements]
    shares = [shares_at(each + 0.5, levels) for each in improvements]
    return [
        [
            Estimate(n, *(part - 0.5 for part in each[k]))
            for n, each in zip(seeds, shares, strict=True)
        ]
        for k in range(len(levels))
    ]


def _columns(found: Intervals) -> list[Estimate]:
    return [
        Estimate(int(n), *map(float, numbers))
        for n, *numbers in zip(found.n, found.estimate, found.low, found.high, strict=True)
    ]


def side_by_side(columns: Sequence[Floats]) -> Floats:
    """Return columns, which may differ in length, as a table; NaN where one has ended."""
    table = np.full((max(map(len, columns), default=0), len(columns)), np.nan)
    for place, column in enumerate(columns):
        table[: len(column), place] = column
    return table


@dataclass(frozen=True)
class Compared:
    """Two recipes, and where their scores stand.

    Attributes
    ----------
    treatment, baseline
        Names of recipes.
    metric
        The treatment's.
    scores, baseline_scores
        Of the treatment's metric, and of the baseline's, which is another where two predictions of
        the same networks are compared.
    scale
        What the improvement is in.
    """

    treatment: str
    baseline: str
    metric: ClaimMetric
    scores: Scores
    baseline_scores: Scores
    scale: Scale = "difference"


def paired(compared: Compared, case: str) -> Pairs:
    """Pair two recipes of a case by seed and backend."""
    scores = compared.scores
    sides = (scores, compared.baseline_scores)
    cells = scores.cell(compared.treatment, case), scores.cell(compared.baseline, case)
    backends = tuple(dict.fromkeys([*cells[0], *cells[1]]))
    shape = (len(scores.table), len(backends))
    both = np.full((2, *shape), np.nan)
    promised = np.zeros(shape, dtype=bool)
    for side, columns in enumerate(cells):
        for number, backend in enumerate(backends):
            if backend in columns:
                both[side, :, number] = sides[side].values[:, columns[backend]]
                promised[:, number] |= scores.promised[:, columns[backend]]
    return Pairs(
        treatment=compared.treatment,
        baseline=compared.baseline,
        case=case,
        metric=compared.metric,
        scale=compared.scale,
        scores=np.where(np.isfinite(both).all(axis=0), both, np.nan),
        promised=promised,
        seeds=tuple(int(seed) for seed in scores.table.index),
        backends=backends,
    )


def all_pairs(compared: Compared) -> list[Pairs]:
    """Pair two recipes in every case they have in common, and over all cases if there are more."""
    cases = shared_cases(compared.scores, compared.treatment, compared.baseline)
    found = [paired(compared, case) for case in cases]
    return [*found, averaged(found)] if len(found) > 1 else found


def shared_cases(scores: Scores, treatment: str, baseline: str) -> tuple[str, ...]:
    """Return the cases in which two recipes can be compared.

    A recipe without cases is compared in each of the other's; one that was never promised
    leaves the cases of the other, whose pairs then count as lost.
    """
    first, second = scores.cases(treatment), scores.cases(baseline)
    named = tuple(dict.fromkeys(case for case in (*first, *second) if case))
    return named or ("",)


def single_cases(pairs: Sequence[Pairs]) -> list[Pairs]:
    """Return the pairings of single cases, without their average."""
    return [one for one in pairs if one.case != ALL]


def averaged(cases: Sequence[Pairs]) -> Pairs:
    """Average the cases by seed; a seed that lacks one of them is lost.

    Cases differ by far more than backends do: an average over those that happen to be there
    would depend on which are missing.
    """
    first = cases[0]
    backends = tuple(dict.fromkeys(backend for pairs in cases for backend in pairs.backends))
    shape = (len(first.seeds), len(backends))
    scores = np.full((len(cases), 2, *shape), np.nan)
    promised = np.zeros((len(cases), *shape), dtype=bool)
    for number, pairs in enumerate(cases):
        columns = [backends.index(backend) for backend in pairs.backends]
        scores[number][:, :, columns] = pairs.scores
        promised[number][:, columns] = pairs.promised
    return replace(
        first,
        case=ALL,
        scores=scores.mean(axis=0),
        promised=np.asarray(promised.any(axis=0)),
        backends=backends,
    )
