"""Claims: the improvement per backend and over all, and the verdict with what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from manyseeds.statistics.bootstrap import LEVEL, Floats, mean_intervals
from manyseeds.statistics.error_factors import factor_views, reached
from manyseeds.statistics.estimands import (
    Evidence,
    PairsByClaim,
    full_order,
    is_equivalence,
    least_effect,
    never,
    pairs_by_claim,
)
from manyseeds.statistics.family import Judged, Question, judged, level_among
from manyseeds.statistics.hypothesis_tests import holm, sign_flips, wilcoxon
from manyseeds.statistics.pairs import (
    ALL,
    TIE,
    Estimate,
    Pairs,
    estimates,
    side_by_side,
    single_cases,
)
from manyseeds.statistics.shares import share_of
from manyseeds.statistics.verdict import seeds_to_settle
from manyseeds.suite.claims import Claim, Difference, Ordering, TimeToTarget
from manyseeds.suite.suite import Suite


@dataclass(frozen=True)
class _View:
    """A claim in a case, as one backend or all of them see it."""

    claim: Claim
    pairs: Pairs
    backend: str
    headline: bool

    def family(self) -> tuple[str, bool]:
        """Return what it is judged with: the backend's claims, or all of its single cases."""
        return self.backend, self.headline


@dataclass(frozen=True)
class _Found:
    """What is computed of all views at once.

    Attributes
    ----------
    estimate, judged
        Of the claim, and its verdict.
    family
        Claims judged together.
    trained
        The estimate without the pairs of which a lane diverged.
    p
        Of the permutation of signs.
    """

    estimate: Estimate
    judged: Judged
    family: int
    trained: Estimate
    p: float


def claims_table(
    records: pd.DataFrame,
    suite: Suite,
    pairs: PairsByClaim | None = None,
    curves: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per claim, case and backend; backend "all" pools them by seed.

    A lane that diverged counts as guessing where that is defined, so that divergence drops no row;
    the same without the pairs that diverged stands beside it, as `trained_…`, where there are any.

    Columns:

    * `claim`, `estimand`, `treatment`, `baseline`, `case`, `backend`, `metric`
    * `promised`, `pairs`, `lost`, `diverged`: pairs of seeds; those that have no score; those of
      which a lane diverged
    * `baseline_mean`, `treatment_mean`: in the metric's unit (accuracies are shares)
    * `improvement`, `low`, `high`, `sd`: the estimand with its 95 % interval, and the spread over
      seeds. In the metric's unit; a ratio as its logarithm; a probability of improvement as what
      it exceeds one half by; an ordering as Kendall's tau
    * `verdict`, `family`, `level`, `family_low`, `family_high`: corrected by Holm for so many
      claims (those of the suite on this backend; single cases are a family of their own), and the
      interval it was judged by. `seeds_to_settle` where it is inconclusive
    * `p_sign_flips`, `p_wilcoxon`, `p_holm` (of the first): that nothing differs
    * `better`, `tied`, `worse` (pairs); `correlation` (Pearson's, of the pairs) and
      `variance_ratio` (variance of the paired difference over that of an unpaired one: what pairing
      bought)
    * `factor`, `factor_median`, `factor_reached` (share that reach the claimed `factor`, with its
      interval) and `zero_errors` (treatments without any error) of single trainings: over all
      backends and cases a seed counts once, with the share of its trainings that reach it
    * `full_order`, `_low`, `_high`: of an ordering, the share of seeds with all of it
    * `never_treatment`, `never_baseline`: of times, trainings that never reached the target
    * `trained_pairs`, `trained_improvement`, `trained_low`, `trained_high`

    `pairs` are those of `claim_pairs`, if they are at hand already; `curves` the ledger's, which
    times need.
    """
    evidence = Evidence(records, suite, curves)
    pairs = pairs_by_claim(evidence) if pairs is None else pairs
    views = list(_views(evidence, pairs))
    found = _found(views, evidence)
    rows = [
        _row(view, each, evidence, pairs[view.claim.name])
        for view, each in zip(views, found, strict=True)
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    families = pd.Series([view.family() for view in views], dtype=object)
    table["p_holm"] = table.groupby(families)["p_sign_flips"].transform(holm)
    return table


_COLUMNS = [
    "claim", "estimand", "treatment", "baseline", "case", "backend", "metric",
    "promised", "pairs", "lost", "diverged",
    "baseline_mean", "treatment_mean", "improvement", "low", "high", "sd",
    "least_effect", "verdict", "seeds_to_settle", "family", "level", "family_low", "family_high",
    "p_sign_flips", "p_wilcoxon", "p_holm",
    "better", "tied", "worse", "correlation", "variance_ratio",
    "factor", "factor_median", "factor_reached", "factor_reached_low", "factor_reached_high",
    "zero_errors",
    "full_order", "full_order_low", "full_order_high", "never_treatment", "never_baseline",
    "trained_pairs", "trained_improvement", "trained_low", "trained_high",
]  # fmt: skip


def _views(evidence: Evidence, pairs: PairsByClaim) -> Iterator[_View]:
    for claim in evidence.suite.claims:
        found = pairs[claim.name]
        for one in found:
            for backend in one.views():
                yield _View(claim, one, backend, headline=one is found[-1])


def _found(views: Sequence[_View], evidence: Evidence) -> list[_Found]:
    sizes = Counter(view.family() for view in views)
    most = max(sizes.values(), default=0)
    levels = dict.fromkeys([LEVEL, *(level_among(claims + 1) for claims in range(most))])
    known = estimates([(view.pairs, view.backend) for view in views], list(levels))
    verdicts = _judged(views, known)
    trained = _trained(views, [each[LEVEL] for each in known], evidence)
    p = sign_flips(side_by_side([view.pairs.gain(view.backend) for view in views]))
    return [
        _Found(known[place][LEVEL], verdicts[place], sizes[view.family()], trained[place], p[place])
        for place, view in enumerate(views)
    ]


def _judged(views: Sequence[_View], known: Sequence[Mapping[float, Estimate]]) -> dict[int, Judged]:
    """Judge every view with its family."""
    families: dict[tuple[str, bool], list[int]] = {}
    for place, view in enumerate(views):
        families.setdefault(view.family(), []).append(place)
    return {
        place: verdict
        for places in families.values()
        for place, verdict in zip(
            places, judged([_question(views[place], known[place]) for place in places]), strict=True
        )
    }


def _question(view: _View, known: Mapping[float, Estimate]) -> Question:
    return Question(known.__getitem__, least_effect(view.claim), is_equivalence(view.claim))


def _trained(
    views: Sequence[_View], estimated: Sequence[Estimate], evidence: Evidence
) -> list[Estimate]:
    """Return the estimates without the pairs of which a lane diverged."""
    if not (evidence.records["status"] == "diverged").any():
        return list(estimated)
    trained = pairs_by_claim(replace(evidence, guessing=False))
    same_case = [
        next(each for each in trained[view.claim.name] if each.case == view.pairs.case)
        for view in views
    ]
    both = [(one, view.backend) for one, view in zip(same_case, views, strict=True)]
    return [each[LEVEL] for each in estimates(both, [LEVEL])]


def _row(view: _View, found: _Found, evidence: Evidence, all_cases: list[Pairs]) -> dict[str, Any]:
    claim, one, backend = view.claim, view.pairs, view.backend
    improvement = one.improvement(backend)
    treatment, baseline = one.view(backend)
    described = _described(treatment, baseline, _finite_sd(improvement))
    singles = single_cases(all_cases) if one.case == ALL else [one]
    promised = one.promises(backend)
    return {
        "claim": claim.name,
        "estimand": claim.estimand,
        "treatment": one.treatment,
        "baseline": one.baseline,
        "case": one.case,
        "backend": backend,
        "metric": one.metric,
        "promised": promised,
        "pairs": found.estimate.seeds,
        "lost": promised - found.estimate.seeds,
        "factor": getattr(claim, "factor", None) or np.nan,
        **_of(found.estimate),
        **described,
        **_counted(improvement),
        **_corrected(found, described["sd"], view),
        "p_sign_flips": found.p,
        "p_wilcoxon": wilcoxon(one.gain(backend))[0],
        **_factors(singles, backend, claim),
        **_order(view, evidence),
        **_never(view, evidence),
        **_without_diverged(found),
    }


def _of(estimate: Estimate) -> dict[str, float]:
    return {
        "improvement": estimate.improvement, "low": estimate.low, "high": estimate.high
    }  # fmt: skip


def _corrected(found: _Found, sd: float, view: _View) -> dict[str, Any]:
    verdict, least = found.judged, least_effect(view.claim)
    seeds = np.nan
    if verdict.verdict == "inconclusive":
        seeds = seeds_to_settle(found.estimate.improvement, sd, least, verdict.level)
    return {
        "least_effect": least,
        "verdict": verdict.verdict,
        "seeds_to_settle": seeds,
        "family": found.family,
        "level": verdict.level,
        "family_low": verdict.low,
        "family_high": verdict.high,
    }


def _without_diverged(found: _Found) -> dict[str, float]:
    """Return the estimate without the pairs of which a lane diverged, if there are such."""
    diverged = found.estimate.seeds - found.trained.seeds
    if not diverged:
        return {"diverged": 0}
    return {
        "diverged": diverged,
        "trained_pairs": found.trained.seeds,
        **{f"trained_{name}": value for name, value in _of(found.trained).items()},
    }


def _order(view: _View, evidence: Evidence) -> dict[str, float]:
    if not isinstance(view.claim, Ordering) or view.pairs.case == ALL:
        return {}
    found = share_of(full_order(view.claim, evidence, view.pairs.case, view.backend))
    return {
        "full_order": found.share, "full_order_low": found.low, "full_order_high": found.high
    }  # fmt: skip


def _never(view: _View, evidence: Evidence) -> dict[str, int]:
    if not isinstance(view.claim, TimeToTarget) or view.backend != ALL or not view.headline:
        return {}
    treatment, baseline = never(view.claim, evidence)
    return {"never_treatment": treatment, "never_baseline": baseline}


def improvements(pairs: Sequence[Pairs]) -> list[dict[str, Any]]:
    """Return the estimates of each pairing per backend and pooled, bootstrapped together."""
    views = [(one, backend) for one in pairs for backend in one.views()]
    if not views:
        return []
    table = np.stack([one.improvement(backend) for one, backend in views], axis=1)
    found = mean_intervals(table)
    return [
        {
            "treatment": one.treatment,
            "baseline": one.baseline,
            "case": one.case,
            "backend": backend,
            "promised": one.promises(backend),
            "pairs": int(found.n[column]),
            "lost": one.promises(backend) - int(found.n[column]),
            "improvement": found.estimate[column],
            "low": found.low[column],
            "high": found.high[column],
        }
        for column, (one, backend) in enumerate(views)
    ]


def _finite_sd(improvement: Floats) -> float:
    known = improvement[np.isfinite(improvement)]
    return float(known.std(ddof=1)) if len(known) > 1 else np.nan


def _described(treatment: Floats, baseline: Floats, sd: float) -> dict[str, float]:
    both = np.stack([treatment, baseline])[:, np.isfinite(treatment)]
    pairs = both.shape[1]
    means = both.mean(axis=1) if pairs else np.full(2, np.nan)
    (first, shared), (_, second) = np.cov(both) if pairs > 1 else np.full((2, 2), np.nan)
    paired, apart = first + second - 2 * shared, first + second
    return {
        "baseline_mean": means[1],
        "treatment_mean": means[0],
        "sd": sd,
        "correlation": shared / np.sqrt(first * second) if min(first, second) > 0 else np.nan,
        "variance_ratio": max(paired, 0.0) / apart if apart > 0 else np.nan,
    }


def _counted(improvement: Floats) -> dict[str, int]:
    tied = np.abs(improvement) < TIE
    return {
        "better": int(((improvement > 0) & ~tied).sum()),
        "tied": int(tied.sum()),
        "worse": int(((improvement < 0) & ~tied).sum()),
    }


def _factors(singles: Sequence[Pairs], backend: str, claim: Claim) -> dict[str, float]:
    """Describe factors of single trainings: an average over several would hide their spread."""
    if not isinstance(claim, Difference) or claim.metric != "test_accuracy":
        return {}
    names = dict.fromkeys(name for one in singles for name in one.backends)
    factors = factor_views(singles, list(names) if backend == ALL else [backend])
    if not len(factors):
        return {}
    seen = factors[~np.isnan(factors)]
    share, low, high = reached(factors, claim.factor) if claim.factor else (np.nan,) * 3
    return {
        "factor_median": float(np.median(seen)) if len(seen) else np.nan,
        "factor_reached": share,
        "factor_reached_low": low,
        "factor_reached_high": high,
        "zero_errors": int(np.isinf(seen).sum()),
    }
