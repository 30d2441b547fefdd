"""The figures of a page: those that have data, and the recipes that each of them shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from manyseeds.presentation.theme import RenderedFigure
from manyseeds.presentation.wording import case_name, claim_unit, metric_unit
from manyseeds.report.figures.all_claims import claims_figure
from manyseeds.report.figures.confession import confession_figure
from manyseeds.report.figures.distribution import distribution_figure
from manyseeds.report.figures.forest import forest_figure
from manyseeds.report.figures.layers import layers_figure
from manyseeds.report.figures.learning_curves import curves_figure
from manyseeds.report.figures.paired import paired_figure
from manyseeds.report.figures.profile import MOST, profile_figure
from manyseeds.report.figures.raincloud import raincloud_figure
from manyseeds.report.figures.range_tests import range_tests_figure
from manyseeds.report.figures.specification import specification_figure
from manyseeds.report.figures.tradeoff import tradeoff_figure
from manyseeds.report.figures.variance import variance_figure
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.report.result_tables import ResultTables
from manyseeds.statistics import range_test_steps
from manyseeds.statistics.estimands import least_effect
from manyseeds.statistics.pairs import ALL, Pairs, single_cases
from manyseeds.statistics.profiles import error_costs
from manyseeds.statistics.scores import ordinary
from manyseeds.statistics.seed_scores import lost_rows, seed_scores, tradeoff_table
from manyseeds.suite.claims import (
    Calibration,
    Claim,
    Difference,
    Ordering,
    Share,
    ThresholdClaim,
    TimeToTarget,
)

_RECIPES_WITH_CURVES = 4
_RECIPES_WITH_LAYERS = 5
_RECIPES_WITH_CLOUDS = 10
_LEAST_SPECIFICATIONS = 6


@dataclass(frozen=True)
class SuiteFigures:
    """The figures of a page: per claim by its name, and those of the whole suite."""

    claims: Mapping[str, tuple[RenderedFigure, ...]]
    forest: RenderedFigure | None
    rainclouds: RenderedFigure | None
    profile: RenderedFigure | None
    tradeoff: RenderedFigure | None
    specification: RenderedFigure | None
    recipes: RenderedFigure | None
    variance: RenderedFigure | None
    curves: RenderedFigure | None
    layers: RenderedFigure | None
    range_tests: RenderedFigure | None

    def all(self) -> Iterator[RenderedFigure]:
        """Yield every figure."""
        for figures in self.claims.values():
            yield from figures
        rest = (getattr(self, field.name) for field in fields(self) if field.name != "claims")
        yield from (figure for figure in rest if figure)


def drawings(reported: ReportedSuite, results: ResultTables) -> SuiteFigures:
    """Draw every figure that has data."""
    return SuiteFigures(
        claims={
            claim.name: tuple(_of_claim(claim, results, claim.name))
            for claim in reported.suite.claims
        },
        forest=_forest(reported, results),
        rainclouds=_rainclouds(reported),
        profile=_profile(reported),
        tradeoff=_tradeoff(reported, results),
        specification=_specification(reported, results),
        recipes=_recipes(reported, results),
        variance=_variance(reported, results),
        curves=_curves(reported),
        layers=_layers(reported, results),
        range_tests=_range_tests(reported, results),
    )


def _of_claim(claim: Claim, results: ResultTables, name: str) -> Iterator[RenderedFigure]:
    pairs = results.pairs[claim.name]
    single = [case for case in single_cases(pairs) if _any(case)]
    if not single:
        return
    published = results.published[results.published["claim"] == claim.name]
    curves = results.confession[results.confession["claim"] == claim.name]
    whole = [case for case in pairs if case.case == ALL and _any(case)] or single
    if not isinstance(claim, Ordering | ThresholdClaim | TimeToTarget):
        yield paired_figure(claim, whole[0], f"{name}-paired")
    if len(single) > 1:
        yield _cases(claim, results, f"{name}-cases")
    if isinstance(claim, Difference | Calibration | Share):
        yield distribution_figure(claim, single, published, f"{name}-distribution")
        cherries = results.cherries[results.cherries["claim"] == claim.name]
        yield confession_figure(claim, curves, published, cherries, f"{name}-confession")


def _any(pairs: Pairs) -> bool:
    return bool(np.isfinite(pairs.scores).any())


def _cases(claim: Claim, results: ResultTables, name: str) -> RenderedFigure:
    rows = results.claims[results.claims["claim"] == claim.name]
    rows = rows.assign(case=rows["case"].map(case_name))
    title = "Case by case"
    groups = [(" against ".join(claim.compared()), rows)]
    return forest_figure(groups, "case", claim_unit(claim), least_effect(claim), name, title)


def _forest(reported: ReportedSuite, results: ResultTables) -> RenderedFigure | None:
    claims = reported.suite.claims
    known = results.claims["improvement"].notna().any()
    return claims_figure(claims, results.claims, "claims") if claims and known else None


def _rainclouds(reported: ReportedSuite) -> RenderedFigure | None:
    scores = seed_scores(reported.records, reported.suite)
    scores = scores.where(np.isfinite(scores))
    chosen = _few(scores.columns[scores.notna().any()].get_level_values("recipe"), reported)
    if not chosen:
        return None
    lost, unit = lost_rows(reported.records, reported.suite), metric_unit(reported.suite.primary)
    return raincloud_figure(scores, lost, chosen[:_RECIPES_WITH_CLOUDS], unit, "rainclouds")


def _profile(reported: ReportedSuite) -> RenderedFigure | None:
    costs = error_costs(reported.records, reported.suite)
    if costs.empty or costs.shape[1] < 2:
        return None
    chosen = _few(costs.columns, reported)[:MOST]
    return profile_figure(costs, chosen, metric_unit(reported.suite.primary), "profile")


def _tradeoff(reported: ReportedSuite, results: ResultTables) -> RenderedFigure | None:
    scores = seed_scores(reported.records, reported.suite)
    table = tradeoff_table(scores[np.isfinite(scores)], results.summary)
    solo = bool((table["solo_seconds"] > 0).all())
    points = table.rename(
        columns={"solo_seconds" if solo else "cohort_seconds_per_seed": "seconds"}
    )
    points = points[points["seconds"] > 0].reset_index(drop=True)
    if points["recipe"].nunique() < 2:
        return None
    return tradeoff_figure(points, metric_unit(reported.suite.primary), solo=solo, name="tradeoff")


def _specification(reported: ReportedSuite, results: ResultTables) -> RenderedFigure | None:
    table = results.specification
    if len(table) < _LEAST_SPECIFICATIONS:
        return None
    return specification_figure(table, metric_unit(reported.suite.primary), "specification")


def _recipes(reported: ReportedSuite, results: ResultTables) -> RenderedFigure | None:
    table = results.comparisons
    table = table[table["pairs"] > 0]
    several = set(table.loc[table["case"] == ALL, "treatment"])
    table = table[(table["case"] == ALL) | ~table["treatment"].isin(several)]
    if table.empty:
        return None
    groups = [
        (f"against {baseline}", rows) for baseline, rows in table.groupby("baseline", sort=False)
    ]
    claims = reported.suite.claims
    least = claims[0].least_effect if claims and isinstance(claims[0], Difference) else None
    unit = metric_unit(reported.suite.primary)
    return forest_figure(groups, "treatment", unit, least, "recipes", "Every recipe")


def _variance(reported: ReportedSuite, results: ResultTables) -> RenderedFigure | None:
    table = results.variance[results.variance["ok"] > 1]
    return None if table.empty else variance_figure(reported.suite, table, "variance")


def _curves(reported: ReportedSuite) -> RenderedFigure | None:
    rows, chosen = _of_few(
        ordinary(reported.curves, reported.suite), reported, _RECIPES_WITH_CURVES
    )
    return curves_figure(rows, chosen, "curves") if chosen else None


def _layers(reported: ReportedSuite, results: ResultTables) -> RenderedFigure | None:
    rows, chosen = _of_few(results.layers, reported, _RECIPES_WITH_LAYERS)
    return layers_figure(rows, chosen, "layers") if chosen else None


def _range_tests(reported: ReportedSuite, results: ResultTables) -> RenderedFigure | None:
    table, chosen = _of_few(results.range_tests, reported, _RECIPES_WITH_CURVES)
    if not chosen:
        return None
    steps = range_test_steps(reported.diagnostics, reported.suite)
    cases = table[["recipe", "case"]].drop_duplicates()
    return range_tests_figure(steps.merge(cases), table, chosen, "range-tests")


def _of_few(
    rows: pd.DataFrame, reported: ReportedSuite, most: int
) -> tuple[pd.DataFrame, Sequence[str]]:
    """Return the rows of the first recipes, in one case each."""
    chosen = _few(rows["recipe"], reported)[:most]
    rows = rows[rows["recipe"].isin(chosen)]
    return rows[rows["case"] == rows.groupby("recipe")["case"].transform("first")], chosen


def _few(present: Iterable[str], reported: ReportedSuite) -> list[str]:
    """Return the suite's recipes that are present, those of claims first."""
    claimed = [name for c in reported.suite.claims for name in reversed(c.compared())]
    names = set(present)
    return [n for n in dict.fromkeys([*claimed, *reported.suite.recipes()]) if n in names]
