"""One row of the table of claims: the results for a claim in one case on one backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.error_factors import factor_views, reached
from manyseeds.statistics.estimands import full_order, least_effect
from manyseeds.statistics.estimates import Estimate
from manyseeds.statistics.evidence import Evidence
from manyseeds.statistics.family import FamilyVerdict
from manyseeds.statistics.hypothesis_tests import wilcoxon
from manyseeds.statistics.pairs import ALL, TIE, Pairs, single_cases
from manyseeds.statistics.shares import share_of
from manyseeds.statistics.times_to_target import never
from manyseeds.statistics.verdict import seeds_to_settle
from manyseeds.suite.claims import (
    Claim,
    Difference,
    Ordering,
    ThresholdClaim,
    TimeToTarget,
    less_is_better,
)

COLUMNS = [
    "claim", "estimand", "treatment", "baseline", "case", "backend", "metric",
    "promised", "pairs", "lost", "without_value", "diverged",
    "baseline_mean", "treatment_mean", "improvement", "low", "high", "sd",
    "least_effect", "verdict", "seeds_to_settle", "family", "level", "family_low", "family_high",
    "p_sign_flips", "p_wilcoxon", "p_holm",
    "better", "tied", "worse", "correlation", "variance_ratio",
    "factor", "factor_median", "factor_reached", "factor_reached_low", "factor_reached_high",
    "zero_errors",
    "full_order", "full_order_low", "full_order_high", "never_treatment", "never_baseline",
    "trained_pairs", "trained_improvement", "trained_low", "trained_high",
]  # fmt: skip
"""The columns of the table of claims.

* `claim`, `estimand`, `treatment`, `baseline`, `case`, `backend`, `metric`
* `promised`, `pairs`, `lost`, `without_value`, `diverged`: pairs of seeds promised, pairs that
  have a score, pairs without one, those of them whose trainings ended well but lack a value (a
  curve file is missing, for instance), pairs in which a lane diverged
* `baseline_mean`, `treatment_mean`, in the metric's unit (accuracies are shares); the baseline of
  a threshold is the threshold, an ordering has no means
* `improvement`, `low`, `high`, `sd`: the estimand, its 95 % interval, and the standard
  deviation over seeds. In the metric's unit; a ratio as its logarithm; a probability of
  improvement minus one half; an ordering as Kendall's tau
* `verdict`, `level`, `family_low`, `family_high`: the verdict, and the interval it rests
  on. The interval is corrected by Holm for the `family`, the number of claims judged
  together: those of the suite on this backend, single cases apart
* `seeds_to_settle`, where the verdict is inconclusive
* `p_sign_flips`, `p_wilcoxon`, `p_holm` (the first, adjusted): tests of no difference
* `better`, `tied`, `worse`: pairs. `correlation`: Pearson's, of the pairs.
  `variance_ratio`: the variance of the paired difference over that of an unpaired one
* `factor_median`, `factor_reached` (share that reaches the claimed `factor`, with its
  interval) and `zero_errors` (treatments without any error), of single trainings. Over all
  backends and cases a seed counts once, with the share of its trainings that reach it
* `full_order`, `_low`, `_high`: for orderings, the share of seeds with the whole order
* `never_treatment`, `never_baseline`: for times, trainings that never reached the target
* `trained_pairs`, `trained_improvement`, `trained_low`, `trained_high`
"""


@dataclass(frozen=True)
class ClaimCase:
    """A claim in one case, seen on one backend or pooled over all of them.

    Attributes
    ----------
    claim, pairs, backend
        The claim, its pairs in the case, and the backend or `ALL`.
    headline
        Whether this is the claim's main case: the only one, or the average over all.
    """

    claim: Claim
    pairs: Pairs
    backend: str
    headline: bool

    def family(self) -> tuple[str, bool]:
        """Return the family it is judged in: the backend's headlines, or its single cases."""
        return self.backend, self.headline


@dataclass(frozen=True)
class ClaimEstimates:
    """The results for one view that are computed for all views at once.

    Attributes
    ----------
    estimate
        The improvement with its 95 % interval.
    verdict
        The verdict, and the corrected interval it rests on.
    family
        The number of claims judged together.
    trained
        The estimate without the pairs in which a lane diverged.
    p_sign_flips
        The p-value of the sign-flip permutation test.
    """

    estimate: Estimate
    verdict: FamilyVerdict
    family: int
    trained: Estimate
    p_sign_flips: float


def claim_row(
    view: ClaimCase, estimated: ClaimEstimates, evidence: Evidence, all_cases: Sequence[Pairs]
) -> dict[str, Any]:
    """Return a row of `claims_table` by column name, without `p_holm`, which needs all rows.

    Parameters
    ----------
    view, estimated
        The claim in a case on a backend, and the estimates for it.
    evidence
        The suite's records.
    all_cases
        The claim's pairs in every case.
    """
    claim, pairs, backend = view.claim, view.pairs, view.backend
    improvement = pairs.improvement(backend)
    treatment, baseline = pairs.view(backend)
    described = _described(treatment, baseline, _finite_sd(improvement))
    singles = single_cases(all_cases) if pairs.case == ALL else [pairs]
    promised = pairs.promises(backend)
    return {
        "claim": claim.name,
        "estimand": claim.estimand,
        "treatment": pairs.treatment,
        "baseline": pairs.baseline,
        "case": pairs.case,
        "backend": backend,
        "metric": pairs.metric,
        "promised": promised,
        "pairs": estimated.estimate.seeds,
        "lost": promised - estimated.estimate.seeds,
        "without_value": pairs.without_value(backend),
        "factor": getattr(claim, "factor", None) or np.nan,
        **_improvement(estimated.estimate),
        **described,
        **_means_of_one(claim, described),
        **_outcomes(improvement),
        **_verdict(estimated, described["sd"], view),
        "p_sign_flips": estimated.p_sign_flips,
        "p_wilcoxon": wilcoxon(pairs.gain(backend))[0],
        **_factors(singles, backend, claim),
        **_full_order(view, evidence),
        **_never(view, evidence),
        **_divergence(estimated),
    }


def _improvement(estimate: Estimate) -> dict[str, float]:
    return {
        "improvement": estimate.improvement, "low": estimate.low, "high": estimate.high
    }  # fmt: skip


def _finite_sd(improvement: Floats) -> float:
    finite = improvement[np.isfinite(improvement)]
    return float(finite.std(ddof=1)) if len(finite) > 1 else np.nan


def _described(treatment: Floats, baseline: Floats, sd: float) -> dict[str, float]:
    both = np.stack([treatment, baseline])[:, np.isfinite(treatment)]
    pairs = both.shape[1]
    means = both.mean(axis=1) if pairs else np.full(2, np.nan)
    (first, shared), (_, second) = np.cov(both) if pairs > 1 else np.full((2, 2), np.nan)
    paired, unpaired = first + second - 2 * shared, first + second
    return {
        "baseline_mean": means[1],
        "treatment_mean": means[0],
        "sd": sd,
        "correlation": shared / np.sqrt(first * second) if min(first, second) > 0 else np.nan,
        "variance_ratio": max(paired, 0.0) / unpaired if unpaired > 0 else np.nan,
    }


def _means_of_one(claim: Claim, described: dict[str, float]) -> dict[str, float]:
    """Return the means of a claim that has no baseline: its pairs hold one number, beside a 0."""
    if not isinstance(claim, Ordering | ThresholdClaim):
        return {}
    alone = {"correlation": np.nan, "variance_ratio": np.nan}
    excess = described["treatment_mean"]
    if isinstance(claim, Ordering):
        return {"baseline_mean": np.nan, "treatment_mean": np.nan} | alone
    sign = -1.0 if less_is_better(claim.metric) else 1.0
    means = {
        "baseline_mean": np.nan if np.isnan(excess) else claim.threshold,
        "treatment_mean": claim.threshold + sign * excess,
    }
    return means | alone


def _outcomes(improvement: Floats) -> dict[str, int]:
    tied = np.abs(improvement) < TIE
    return {
        "better": int(((improvement > 0) & ~tied).sum()),
        "tied": int(tied.sum()),
        "worse": int(((improvement < 0) & ~tied).sum()),
    }


def _verdict(estimated: ClaimEstimates, sd: float, view: ClaimCase) -> dict[str, Any]:
    verdict, least = estimated.verdict, least_effect(view.claim)
    seeds = np.nan
    if verdict.verdict == "inconclusive":
        seeds = seeds_to_settle(estimated.estimate.improvement, sd, least, verdict.level)
    return {
        "least_effect": least,
        "verdict": verdict.verdict,
        "seeds_to_settle": seeds,
        "family": estimated.family,
        "level": verdict.level,
        "family_low": verdict.low,
        "family_high": verdict.high,
    }


def _factors(singles: Sequence[Pairs], backend: str, claim: Claim) -> dict[str, float]:
    """Describe factors of errors of single trainings: an average would hide their spread."""
    if not isinstance(claim, Difference) or claim.metric != "test_accuracy":
        return {}
    names = dict.fromkeys(name for pairs in singles for name in pairs.backends)
    factors = factor_views(singles, list(names) if backend == ALL else [backend])
    if not len(factors):
        return {}
    known = factors[~np.isnan(factors)]
    share, low, high = reached(factors, claim.factor) if claim.factor else (np.nan,) * 3
    return {
        "factor_median": float(np.median(known)) if len(known) else np.nan,
        "factor_reached": share,
        "factor_reached_low": low,
        "factor_reached_high": high,
        "zero_errors": int(np.isinf(known).sum()),
    }


def _full_order(view: ClaimCase, evidence: Evidence) -> dict[str, float]:
    if not isinstance(view.claim, Ordering) or view.pairs.case == ALL:
        return {}
    whole = share_of(full_order(view.claim, evidence, view.pairs.case, view.backend))
    return {
        "full_order": whole.share, "full_order_low": whole.low, "full_order_high": whole.high
    }  # fmt: skip


def _never(view: ClaimCase, evidence: Evidence) -> dict[str, int]:
    if not isinstance(view.claim, TimeToTarget) or view.backend != ALL or not view.headline:
        return {}
    treatment, baseline = never(view.claim, evidence)
    return {"never_treatment": treatment, "never_baseline": baseline}


def _divergence(estimated: ClaimEstimates) -> dict[str, float]:
    """Return how many pairs diverged, and the estimate without them if any did."""
    diverged = estimated.estimate.seeds - estimated.trained.seeds
    if not diverged:
        return {"diverged": 0}
    trained = _improvement(estimated.trained)
    return {
        "diverged": diverged,
        "trained_pairs": estimated.trained.seeds,
        **{f"trained_{name}": value for name, value in trained.items()},
    }
