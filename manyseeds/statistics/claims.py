"""The table of claims: improvement, interval and verdict, per backend and over all backends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from manyseeds.statistics.bootstrap import LEVEL
from manyseeds.statistics.claim_rows import COLUMNS, ClaimCase, ClaimEstimates, claim_row
from manyseeds.statistics.estimands import (
    PairsByClaim,
    is_equivalence,
    least_effect,
    pairs_by_claim,
)
from manyseeds.statistics.estimates import Estimate, estimates, side_by_side
from manyseeds.statistics.evidence import Evidence
from manyseeds.statistics.family import FamilyClaim, FamilyVerdict, judge_family, level_among
from manyseeds.statistics.hypothesis_tests import holm, sign_flips
from manyseeds.suite.suite import Suite


def claims_table(
    records: pd.DataFrame,
    suite: Suite,
    pairs: PairsByClaim | None = None,
    curves: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row per claim, case and backend; backend "all" pools the backends by seed.

    A lane that diverged counts as guessing where guessing has a score, so divergence drops no row.
    The `trained_…` columns hold the same estimate without the pairs in which a lane diverged; they
    are empty where none did.

    Parameters
    ----------
    records, suite
        The records of one suite, and the suite.
    pairs
        The result of `claim_pairs`, if it is already known.
    curves
        The ledger's curves, which claims about the time to a target need.

    Returns
    -------
    pandas.DataFrame
        The columns of `manyseeds.statistics.claim_rows.COLUMNS`.

    Raises
    ------
    ValueError
        The suite has a claim about times, and there are no `curves`.
    """
    evidence = Evidence(records, suite, curves)
    pairs = pairs_by_claim(evidence) if pairs is None else pairs
    views = list(_views(evidence, pairs))
    rows = [
        claim_row(view, estimated, evidence, pairs[view.claim.name])
        for view, estimated in zip(views, _estimated(views, evidence), strict=True)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    families = pd.Series([view.family() for view in views], dtype=object)
    table["p_holm"] = table.groupby(families)["p_sign_flips"].transform(holm)
    return table


def _views(evidence: Evidence, pairs: PairsByClaim) -> Iterator[ClaimCase]:
    for claim in evidence.suite.claims:
        cases = pairs[claim.name]
        for case in cases:
            for backend in case.views():
                yield ClaimCase(claim, case, backend, headline=case is cases[-1])


def _estimated(views: Sequence[ClaimCase], evidence: Evidence) -> list[ClaimEstimates]:
    """Estimate and judge all views at once: they share the bootstrap's draws."""
    sizes = Counter(view.family() for view in views)
    largest = max(sizes.values(), default=0)
    levels = dict.fromkeys([LEVEL, *(level_among(claims + 1) for claims in range(largest))])
    by_level = estimates([(view.pairs, view.backend) for view in views], list(levels))
    verdicts = _verdicts(views, by_level)
    trained = _without_divergence(views, [at[LEVEL] for at in by_level], evidence)
    p = sign_flips(side_by_side([view.pairs.gain(view.backend) for view in views]))
    return [
        ClaimEstimates(
            estimate=by_level[i][LEVEL],
            verdict=verdicts[i],
            family=sizes[view.family()],
            trained=trained[i],
            p_sign_flips=p[i],
        )
        for i, view in enumerate(views)
    ]


def _verdicts(
    views: Sequence[ClaimCase], by_level: Sequence[Mapping[float, Estimate]]
) -> dict[int, FamilyVerdict]:
    """Judge every view together with its family; return the verdicts by the view's index."""
    families: dict[tuple[str, bool], list[int]] = {}
    for i, view in enumerate(views):
        families.setdefault(view.family(), []).append(i)
    verdicts: dict[int, FamilyVerdict] = {}
    for members in families.values():
        judged = judge_family([_family_claim(views[i], by_level[i]) for i in members])
        verdicts |= dict(zip(members, judged, strict=True))
    return verdicts


def _family_claim(view: ClaimCase, by_level: Mapping[float, Estimate]) -> FamilyClaim:
    return FamilyClaim(by_level.__getitem__, least_effect(view.claim), is_equivalence(view.claim))


def _without_divergence(
    views: Sequence[ClaimCase], estimated: Sequence[Estimate], evidence: Evidence
) -> list[Estimate]:
    """Return the estimates without the pairs in which a lane diverged."""
    if not (evidence.records["status"] == "diverged").any():
        return list(estimated)
    trained = pairs_by_claim(replace(evidence, guessing=False))
    same_case = [
        next(pairs for pairs in trained[view.claim.name] if pairs.case == view.pairs.case)
        for view in views
    ]
    trained_views = [(pairs, view.backend) for pairs, view in zip(same_case, views, strict=True)]
    return [at[LEVEL] for at in estimates(trained_views, [LEVEL])]
