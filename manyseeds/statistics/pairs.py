"""Pairs by seed: two recipes on the same random streams, whose difference a claim is about.

Backends are pooled by seed: a seed's value is its average over the backends that have it. Three
frameworks on the same streams are not three times as many seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from manyseeds.statistics.bootstrap import Floats, finite_mean
from manyseeds.statistics.scores import ScoreTable
from manyseeds.suite.claims import ClaimMetric, less_is_better

Scale = Literal["difference", "log_ratio", "sign"]

Flags = NDArray[np.bool_]

TIE = 1e-12
"""A difference smaller than this is rounding."""

ALL = "all"
"""Stands for all backends, pooled by seed, and for all cases, averaged by seed."""


@dataclass(frozen=True)
class Pairs:
    """The scores of a treatment and a baseline in one case.

    Attributes
    ----------
    treatment, baseline
        The names of the recipes.
    case
        The value of the suite's parameter, or `ALL`.
    metric
        The metric compared; accuracies are shares.
    scale
        The scale of the improvement: see `manyseeds.statistics.estimates.estimates`.
    scores
        Treatment and baseline, [2, seeds, backends]: both NaN unless both are `ok`.
    promised
        Whether the plan promises either, [seeds, backends]; a promised pair without scores is
        lost.
    valueless
        Whether a training of the pair ended well and yet has no value, [seeds, backends]: its curve
        is missing, for instance.
    seeds, backends
        The labels of the axes.
    most
        The largest possible size of an improvement.
    """

    treatment: str
    baseline: str
    case: str
    metric: ClaimMetric
    scale: Scale
    scores: Floats
    promised: Flags
    valueless: Flags
    seeds: tuple[int, ...]
    backends: tuple[str, ...]
    most: float = math.inf

    def views(self) -> tuple[str, ...]:
        """Return the backends, and `ALL` for all of them pooled."""
        return (*self.backends, ALL)

    def view(self, backend: str) -> Floats:
        """Return treatment and baseline by seed, [2, seeds], of one backend or of `ALL`."""
        if backend != ALL:
            scores: Floats = self.scores[:, :, self.backends.index(backend)]
            return scores
        return finite_mean(self.scores, axis=2)

    def promises(self, backend: str) -> int:
        """Return the number of seeds for which the plan promises either recipe."""
        if backend != ALL:
            return int(self.promised[:, self.backends.index(backend)].sum())
        return int(self.promised.any(axis=1).sum())

    def without_value(self, backend: str) -> int:
        """Return how many of the lost pairs are so because a training that ended has no value."""
        lost = ~np.isfinite(self.view(backend)).all(axis=0)
        if backend != ALL:
            return int((lost & self.valueless[:, self.backends.index(backend)]).sum())
        return int((lost & self.valueless.any(axis=1)).sum())

    def improvement(self, backend: str) -> Floats:
        """Return how much better the treatment is, by seed: more accuracy, or less loss.

        On the scale "sign" it is one half where the treatment is better and minus one half where it
        is worse, over several backends their mean; on "log_ratio" the logarithm of the baseline's
        error (or loss) over the treatment's.
        """
        if self.scale == "sign":
            names = self.backends if backend == ALL else (backend,)
            signs = [_half_signs(self.gain(name)) for name in names]
            return finite_mean(np.stack(signs)) if signs else self.gain(backend)
        if self.scale == "log_ratio":
            with np.errstate(divide="ignore", invalid="ignore"):
                treatment, baseline = np.log(self.errors(backend))
                log_ratio: Floats = baseline - treatment
            return log_ratio
        return self.gain(backend)

    def errors(self, backend: str) -> Floats:
        """Return the errors, or losses, of treatment and baseline by seed, [2, seeds]."""
        view = self.view(backend)
        errors: Floats = view if less_is_better(self.metric) else 1 - view
        return errors

    def gain(self, backend: str) -> Floats:
        """Return treatment minus baseline by seed; baseline minus treatment for losses."""
        treatment, baseline = self.view(backend)
        gain: Floats = treatment - baseline
        return -gain if less_is_better(self.metric) else gain


def _half_signs(gain: Floats) -> Floats:
    return np.where(np.abs(gain) < TIE, 0.0, np.sign(gain)) / 2


@dataclass(frozen=True)
class RecipeComparison:
    """Two recipes to pair, and the tables that hold their scores.

    Attributes
    ----------
    treatment, baseline
        The names of the recipes.
    metric
        The treatment's metric.
    scores, baseline_scores
        Scores in the treatment's metric, and in the baseline's. The metrics differ where two
        predictions of the same networks are compared.
    scale
        The scale of the improvement.
    """

    treatment: str
    baseline: str
    metric: ClaimMetric
    scores: ScoreTable
    baseline_scores: ScoreTable
    scale: Scale = "difference"


def paired(comparison: RecipeComparison, case: str) -> Pairs:
    """Pair two recipes in one case, by seed and backend."""
    scores = comparison.scores
    sides = (scores, comparison.baseline_scores)
    cells = scores.cell(comparison.treatment, case), scores.cell(comparison.baseline, case)
    backends = tuple(dict.fromkeys([*cells[0], *cells[1]]))
    shape = (len(scores.table), len(backends))
    both = np.full((2, *shape), np.nan)
    promised, valueless = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for side, columns in enumerate(cells):
        for number, backend in enumerate(backends):
            if backend in columns:
                both[side, :, number] = sides[side].values[:, columns[backend]]
                promised[:, number] |= sides[side].promised[:, columns[backend]]
                valueless[:, number] |= sides[side].valueless[:, columns[backend]]
    return Pairs(
        treatment=comparison.treatment,
        baseline=comparison.baseline,
        case=case,
        metric=comparison.metric,
        scale=comparison.scale,
        scores=np.where(np.isfinite(both).all(axis=0), both, np.nan),
        promised=promised,
        valueless=valueless,
        seeds=tuple(int(seed) for seed in scores.table.index),
        backends=backends,
    )


def all_pairs(comparison: RecipeComparison) -> list[Pairs]:
    """Pair two recipes in every case they share; with several cases, add their average."""
    cases = shared_cases(comparison.scores, comparison.treatment, comparison.baseline)
    return with_average([paired(comparison, case) for case in cases])


def with_average(cases: list[Pairs]) -> list[Pairs]:
    """Return the cases, followed by their average if there are several."""
    return [*cases, averaged(cases)] if len(cases) > 1 else cases


def shared_cases(scores: ScoreTable, treatment: str, baseline: str) -> tuple[str, ...]:
    """Return the cases in which two recipes can be compared.

    A recipe without cases is compared in each case of the other. A recipe that was never promised
    leaves the cases of the other, whose pairs then count as lost.
    """
    first, second = scores.cases(treatment), scores.cases(baseline)
    named = tuple(dict.fromkeys(case for case in (*first, *second) if case))
    return named or ("",)


def single_cases(pairs: Sequence[Pairs]) -> list[Pairs]:
    """Return the pairs of single cases, without their average."""
    return [case for case in pairs if case.case != ALL]


def averaged(cases: Sequence[Pairs]) -> Pairs:
    """Average the cases by seed; a seed that lacks one of them is lost.

    Cases differ by far more than backends do: an average over the cases that are present would
    depend on the missing ones.
    """
    first = cases[0]
    backends = tuple(dict.fromkeys(backend for pairs in cases for backend in pairs.backends))
    shape = (len(first.seeds), len(backends))
    scores = np.full((len(cases), 2, *shape), np.nan)
    promised, valueless = np.zeros((2, len(cases), *shape), dtype=bool)
    for number, pairs in enumerate(cases):
        columns = [backends.index(backend) for backend in pairs.backends]
        scores[number][:, :, columns] = pairs.scores
        promised[number][:, columns] = pairs.promised
        valueless[number][:, columns] = pairs.valueless
    return replace(
        first,
        case=ALL,
        scores=scores.mean(axis=0),
        promised=np.asarray(promised.any(axis=0)),
        valueless=np.asarray(valueless.any(axis=0)),
        backends=backends,
    )
