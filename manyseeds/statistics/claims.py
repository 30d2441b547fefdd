"""Claims: the paired improvement per backend and over all, and the verdict on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from manyseeds.statistics.bootstrap import Floats, mean_intervals
from manyseeds.statistics.factor import error_factors, reached
from manyseeds.statistics.pairs import ALL, Compared, Pairs, all_pairs, single_cases
from manyseeds.statistics.scores import Scores
from manyseeds.statistics.verdict import seeds_to_settle, verdict
from manyseeds.suite import Claim, ClaimMetric, Suite

PairsByClaim = Mapping[str, list[Pairs]]


def claim_pairs(records: pd.DataFrame, suite: Suite) -> PairsByClaim:
    """Return the pairs of every claim, by its name, one entry a case."""
    metrics = {c.metric for c in suite.claims} | {baseline_metric(c) for c in suite.claims}
    scores = {metric: Scores.of(records, suite, metric) for metric in metrics}
    return {
        claim.name: all_pairs(
            Compared(
                treatment=claim.treatment,
                baseline=claim.baseline,
                metric=claim.metric,
                scores=scores[claim.metric],
                baseline_scores=scores[baseline_metric(claim)],
            )
        )
        for claim in suite.claims
    }


def baseline_metric(claim: Claim) -> ClaimMetric:
    """Return the metric of a claim's baseline."""
    return claim.baseline_metric or claim.metric


def claims_table(
    records: pd.DataFrame, suite: Suite, pairs: PairsByClaim | None = None
) -> pd.DataFrame:
    """Return one row per claim, case and backend; backend "all" pools them by seed.

    Columns: `promised`, `pairs`, `lost` (pairs of seeds) · `baseline_mean`, `treatment_mean`,
    `improvement`, `low`, `high`, `sd` (the metric's unit; accuracies are shares) · `better`,
    `tied`, `worse` (pairs) · `correlation` (Pearson's, of the pairs) and `variance_ratio`
    (variance of the paired difference over that of an unpaired one: what pairing bought) ·
    `verdict` and, where it is inconclusive, `seeds_to_settle` · `factor_median`,
    `factor_reached` (share that reach the claimed `factor`, with its interval) and `zero_errors`
    (treatments without any error) of single trainings: over all backends and cases a seed
    counts once, with the share of its trainings that reach it.

    `pairs` are those of `claim_pairs`, if they are at hand already.
    """
    pairs = claim_pairs(records, suite) if pairs is None else pairs
    rows = [
        {"claim": claim.name, "factor": claim.factor or np.nan}
        | {"least_effect": claim.least_effect, "metric": claim.metric}
        | row
        for claim in suite.claims
        for row in _rows(pairs[claim.name], claim)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


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


_COLUMNS = [
    "claim", "treatment", "baseline", "case", "backend", "metric",
    "promised", "pairs", "lost",
    "baseline_mean", "treatment_mean", "improvement", "low", "high", "sd",
    "better", "tied", "worse", "correlation", "variance_ratio",
    "least_effect", "verdict", "seeds_to_settle",
    "factor", "factor_median", "factor_reached", "factor_reached_low", "factor_reached_high",
    "zero_errors",
]  # fmt: skip


def _rows(pairs: list[Pairs], claim: Claim) -> Iterator[dict[str, Any]]:
    views = [(one, backend) for one in pairs for backend in one.views()]
    for row, (one, backend) in zip(improvements(pairs), views, strict=True):
        described = _described(*one.view(backend))
        counted = _counted(one.improvement(backend))
        singles = single_cases(pairs) if one.case == ALL else [one]
        factors = _factors(singles, backend, claim)
        yield row | described | counted | _judged(row, described["sd"], claim) | factors


def _judged(row: Mapping[str, Any], sd: float, claim: Claim) -> dict[str, Any]:
    found = verdict(row["low"], row["high"], claim.least_effect, row["pairs"])
    undecided = found == "inconclusive"
    seeds = seeds_to_settle(row["improvement"], sd, claim.least_effect) if undecided else np.nan
    return {"verdict": found, "seeds_to_settle": seeds}


def _described(treatment: Floats, baseline: Floats) -> dict[str, float]:
    both = np.stack([treatment, baseline])[:, np.isfinite(treatment)]
    pairs = both.shape[1]
    means = both.mean(axis=1) if pairs else np.full(2, np.nan)
    (first, shared), (_, second) = np.cov(both) if pairs > 1 else np.full((2, 2), np.nan)
    paired, apart = first + second - 2 * shared, first + second
    return {
        "baseline_mean": means[1],
        "treatment_mean": means[0],
        "sd": np.sqrt(max(paired, 0.0)) if pairs > 1 else np.nan,
        "correlation": shared / np.sqrt(first * second) if min(first, second) > 0 else np.nan,
        "variance_ratio": max(paired, 0.0) / apart if apart > 0 else np.nan,
    }


def _counted(improvement: Floats) -> dict[str, int]:
    tied = np.abs(improvement) < _TIE
    return {
        "better": int(((improvement > 0) & ~tied).sum()),
        "tied": int(tied.sum()),
        "worse": int(((improvement < 0) & ~tied).sum()),
    }


_TIE = 1e-12
"""Differences below this are rounding."""


def _factors(singles: Sequence[Pairs], backend: str, claim: Claim) -> dict[str, float]:
    """Describe factors of single trainings: an average over several would hide their spread."""
    views = [
        error_factors(one, name)
        for one in singles
        for name in (one.backends if backend == ALL else (backend,))
        if name in one.backends
    ]
    if claim.metric != "test_accuracy" or not views:
        return {}
    factors = np.stack(views)
    seen = factors[~np.isnan(factors)]
    share, low, high = reached(factors, claim.factor) if claim.factor else (np.nan,) * 3
    return {
        "factor_median": float(np.median(seen)) if len(seen) else np.nan,
        "factor_reached": share,
        "factor_reached_low": low,
        "factor_reached_high": high,
        "zero_errors": int(np.isinf(seen).sum()),
    }
