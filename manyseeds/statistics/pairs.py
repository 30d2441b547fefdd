"""Pairs by seed: two recipes on the same random streams, whose difference is what claims are about.

Backends are pooled by seed: a seed's value is its average over the backends that have it. Three
frameworks on the same streams are no three times as many seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyseeds.statistics.bootstrap import Floats, finite_mean
from manyseeds.statistics.scores import Scores
from manyseeds.suite import ClaimMetric, less_is_better

ALL = "all"
"""Stands for all backends, pooled by seed, and for all cases, averaged by seed."""


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
    scores
        Treatment and baseline, [2, seeds, backends]: both NaN unless both are `ok`.
    promised
        Whether the plan promises either, [seeds, backends]; a promised pair without scores is
        lost.
    seeds, backends
        The axes.
    """

    treatment: str
    baseline: str
    case: str
    metric: ClaimMetric
    scores: Floats
    promised: NDArray[np.bool_]
    seeds: tuple[int, ...]
    backends: tuple[str, ...]

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
        """Return by how much the treatment is better, by seed: more accuracy, or less loss."""
        treatment, baseline = self.view(backend)
        gain: Floats = treatment - baseline
        return -gain if less_is_better(self.metric) else gain


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
    """

    treatment: str
    baseline: str
    metric: ClaimMetric
    scores: Scores
    baseline_scores: Scores


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
    return Pairs(
        treatment=first.treatment,
        baseline=first.baseline,
        case=ALL,
        metric=first.metric,
        scores=scores.mean(axis=0),
        promised=np.asarray(promised.any(axis=0)),
        seeds=first.seeds,
        backends=backends,
    )
