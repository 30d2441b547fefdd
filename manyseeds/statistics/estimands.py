"""The pairs by seed that each kind of claim compares, whose improvement is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from manyseeds.statistics.bootstrap import Floats, finite_mean
from manyseeds.statistics.evidence import Evidence
from manyseeds.statistics.pairs import (
    ALL,
    TIE,
    Flags,
    Pairs,
    RecipeComparison,
    Scale,
    all_pairs,
    paired,
    shared_cases,
    with_average,
)
from manyseeds.statistics.scores import ScoreTable
from manyseeds.statistics.times_to_target import time_scores
from manyseeds.suite.claims import (
    Claim,
    ClaimMetric,
    Equivalence,
    Ordering,
    ProbabilityOfImprovement,
    Ratio,
    ThresholdClaim,
    TimeToTarget,
    less_is_better,
)
from manyseeds.suite.suite import Suite

PairsByClaim = Mapping[str, list[Pairs]]


def claim_pairs(
    records: pd.DataFrame, suite: Suite, curves: pd.DataFrame | None = None
) -> PairsByClaim:
    """Return the pairs of every claim, by its name, one entry per case; see `Evidence`."""
    return pairs_by_claim(Evidence(records, suite, curves))


def pairs_by_claim(evidence: Evidence) -> PairsByClaim:
    """Return the pairs of every claim, by its name, one entry per case."""
    return {claim.name: pairs_of(claim, evidence) for claim in evidence.suite.claims}


def pairs_of(claim: Claim, evidence: Evidence) -> list[Pairs]:
    """Return the pairs of a claim, one entry per case; the average of several comes last."""
    match claim:
        case Ordering():
            return _orders(claim, evidence)
        case ThresholdClaim():
            return _against_number(claim, evidence)
        case TimeToTarget():
            return _times(claim, evidence)
        case _:
            scores = evidence.scores(claim.metric)
            other = evidence.scores(baseline_metric(claim))
            return all_pairs(
                RecipeComparison(
                    claim.treatment, claim.baseline, claim.metric, scores, other, _scale(claim)
                )
            )


def baseline_metric(claim: Claim) -> ClaimMetric:
    """Return the metric of a claim's baseline, or of all its recipes."""
    if isinstance(claim, TimeToTarget):
        return "test_accuracy"
    if isinstance(claim, Ordering | ThresholdClaim):
        return claim.metric
    return claim.baseline_metric or claim.metric


def least_effect(claim: Claim) -> float:
    """Return the least effect on the scale of the improvement."""
    return float(np.log(claim.least_effect)) if isinstance(claim, Ratio) else claim.least_effect


def is_equivalence(claim: Claim) -> bool:
    """Return whether a claim says that two recipes do not differ."""
    return isinstance(claim, Equivalence)


def _scale(claim: Claim) -> Scale:
    if isinstance(claim, Ratio):
        return "log_ratio"
    return "sign" if isinstance(claim, ProbabilityOfImprovement) else "difference"


def _orders(claim: Ordering, evidence: Evidence) -> list[Pairs]:
    """Return Kendall's tau of every seed with the claimed order, paired with 0."""
    scores = evidence.scores(claim.metric)
    sign = -1.0 if less_is_better(claim.metric) else 1.0

    def order(values: Floats) -> Floats:
        pairs = [_steps(sign * (better - worse)) for better, worse in combinations(values, 2)]
        tau: Floats = np.mean(pairs, axis=0)
        return tau

    return _reduced(claim.recipes, scores, order, most=1.0)


def full_order(claim: Ordering, evidence: Evidence, case: str, backend: str) -> Floats:
    """Return 1 for each seed with the whole claimed order, else 0, [seeds]; NaN for a lost seed.

    Over all backends, the share of backends that have it.
    """
    values = _stacked(claim.recipes, evidence.scores(claim.metric), case)
    sign = -1.0 if less_is_better(claim.metric) else 1.0
    falls = _steps(sign * (values.scores[:-1] - values.scores[1:]))
    ordered = np.where(np.isfinite(falls).all(axis=0), (falls > 0).all(axis=0), np.nan)
    if backend != ALL:
        on_backend: Floats = ordered[:, values.backends.index(backend)]
        return on_backend
    return finite_mean(ordered, axis=1)


def _steps(differences: Floats) -> Floats:
    """Return the signs of differences; differences within rounding count as ties."""
    return np.where(np.abs(differences) < TIE, 0.0, np.sign(differences))


def _against_number(claim: ThresholdClaim, evidence: Evidence) -> list[Pairs]:
    def excess(values: Floats) -> Floats:
        by: Floats = values[0] - claim.threshold
        return -by if less_is_better(claim.metric) else by

    return _reduced((claim.recipe,), evidence.scores(claim.metric), excess)


@dataclass(frozen=True)
class _Stacked:
    """The scores of several recipes in one case, [recipes, seeds, backends]."""

    scores: Floats
    promised: Flags
    valueless: Flags
    backends: tuple[str, ...]


def _stacked(recipes: Sequence[str], scores: ScoreTable, case: str) -> _Stacked:
    cells = [scores.cell(recipe, case) for recipe in recipes]
    backends = tuple(dict.fromkeys(backend for cell in cells for backend in cell))
    shape = (len(scores.table), len(backends))
    values = np.full((len(recipes), *shape), np.nan)
    promised, valueless = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for number, cell in enumerate(cells):
        for place, backend in enumerate(backends):
            if backend in cell:
                values[number, :, place] = scores.values[:, cell[backend]]
                promised[:, place] |= scores.promised[:, cell[backend]]
                valueless[:, place] |= scores.valueless[:, cell[backend]]
    return _Stacked(values, promised, valueless, backends)


def _reduced(
    recipes: Sequence[str],
    scores: ScoreTable,
    reduce: Callable[[Floats], Floats],
    most: float = np.inf,
) -> list[Pairs]:
    """Reduce the recipes' scores to one number per seed and backend, paired with 0."""
    cases = shared_cases(scores, recipes[0], recipes[-1])
    by_case = []
    for case in cases:
        stacked = _stacked(recipes, scores, case)
        number = reduce(stacked.scores)
        zero = np.where(np.isfinite(number), 0.0, np.nan)
        by_case.append(
            Pairs(
                treatment=recipes[0],
                baseline=recipes[-1],
                case=case,
                metric="test_accuracy",  # more is better
                scale="difference",
                scores=np.stack([number, zero]),
                promised=stacked.promised,
                valueless=stacked.valueless,
                seeds=tuple(int(seed) for seed in scores.table.index),
                backends=stacked.backends,
                most=most,
            )
        )
    return with_average(by_case)


def _times(claim: TimeToTarget, evidence: Evidence) -> list[Pairs]:
    """Return the times to the target; earlier is better."""
    scores = time_scores(claim, evidence)
    comparison = RecipeComparison(claim.treatment, claim.baseline, "test_loss", scores, scores)
    cases = shared_cases(scores, claim.treatment, claim.baseline)
    by_case = [paired(comparison, case) for case in cases]
    return with_average(by_case)
