"""The tables of a suite in the units of its page, for CSV, console, JSON and frames.

Statistics compute with shares, logarithms and excesses over one half. Pages show percentage points,
ratios and per cent. These tables have the numbers of the pages, not rounded, and say their unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from manyseeds.presentation.wording import METRICS, Unit, claim_unit, means_unit, metric_unit
from manyseeds.report.result_tables import ResultTables
from manyseeds.suite.suite import Suite

_INTERVAL = ("improvement", "low", "high")
_GAINS = (
    *(*_INTERVAL, "least_effect", "family_low", "family_high"),
    *("trained_improvement", "trained_low", "trained_high"),
)
_CURVE = (
    *("expected", "expected_low", "expected_high", "median", "median_low", "median_high"),
    *("low", "high"),
)
_FACTOR = Unit("factor of errors", 1, 2, "", "")


def shown_table(results: ResultTables, name: str) -> pd.DataFrame:
    """Return a table of `ResultTables` by its name, in the units of the page.

    `unit` is the unit of improvements with their intervals, spreads and least effects; of published
    figures and confession curves; and of a metric's values in tables of recipes. `means_unit` is
    that of the means of a claim's recipes. Shares of seeds (`factor_reached`, `full_order`,
    `reached`), p-values, `level` and factors have no unit, and are as in `manyseeds.statistics`.
    """
    table: pd.DataFrame = getattr(results, name)
    convert = _CONVERSIONS.get(name)
    return table if convert is None else convert(table, results.reported.suite)


def shown_tables(results: ResultTables) -> dict[str, pd.DataFrame]:
    """Return every table of a suite by its name, in the units of the page."""
    return {name: shown_table(results, name) for name in results.names()}


def _claims(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    gains = {claim.name: claim_unit(claim) for claim in suite.claims}
    means = {claim.name: means_unit(claim) for claim in suite.claims}
    unit, of_means = ([by[name] for name in table["claim"]] for by in (gains, means))
    shown = _scaled(table, of_means, ("baseline_mean", "treatment_mean"))
    shown = _scaled(shown, unit, _GAINS, spreads=("sd",))
    shown = _with(shown, "unit", [each.of_gains for each in unit], before="improvement")
    names = [each.of_values for each in of_means]
    return _with(shown, "means_unit", names, before="baseline_mean")


def _comparisons(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    unit = metric_unit(suite.primary)
    shown = _scaled(table, [unit] * len(table), _INTERVAL)
    return _with(shown, "unit", [unit.of_gains] * len(table), before="improvement")


def _summary(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    unit = metric_unit(suite.primary)
    names = map(str, table.columns)
    columns = [name for name in names if name.startswith(("accuracy_", "error_", "loss_"))]
    spreads = [name for name in columns if name.endswith("_sd")]
    values = [name for name in columns if name not in spreads]
    shown = _scaled(table, [unit] * len(table), values, spreads)
    return _with(shown, "unit", [unit.of_values] * len(table), before=columns[0])


def _metrics(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    units = {str(metric): metric_unit(metric) for metric in METRICS}
    unit = [units[name] for name in table["metric"]]
    shown = _scaled(table, unit, ("mean", "median", "min", "max"), spreads=("sd",))
    return _with(shown, "unit", [each.of_values for each in unit], before="mean")


def _variance(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    unit = metric_unit(suite.primary)
    shown = _scaled(table, [unit] * len(table), (), spreads=("sd", "low", "high"))
    return _with(shown, "unit", [unit.of_gains] * len(table), before="sd")


def _published(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    unit = _units_of_quantities(table, suite)
    shown = _scaled(table, unit, ("figure",))
    return _with(shown, "unit", [each.of_gains for each in unit], before="figure")


def _confession(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    unit = _units_of_quantities(table, suite)
    shown = _scaled(table, unit, _CURVE)
    return _with(shown, "unit", [each.of_gains for each in unit], before="k")


_CONVERSIONS: Mapping[str, Callable[[pd.DataFrame, Suite], pd.DataFrame]] = {
    "claims": _claims,
    "comparisons": _comparisons,
    "specification": _comparisons,
    "summary": _summary,
    "metrics": _metrics,
    "variance": _variance,
    "published": _published,
    "confession": _confession,
}
"""The tables that statistics hold in other units than pages show."""


def _units_of_quantities(table: pd.DataFrame, suite: Suite) -> list[Unit]:
    gains = {claim.name: claim_unit(claim) for claim in suite.claims}
    places = zip(table["claim"], table["quantity"], strict=True)
    return [_FACTOR if quantity == "factor" else gains[claim] for claim, quantity in places]


def _scaled(
    table: pd.DataFrame, units: Sequence[Unit], values: Sequence[str], spreads: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a table with some columns in the units of its rows."""
    shown = table.copy()
    for name in values:
        cells = zip(units, table[name], strict=True)
        shown[name] = [unit.scaled(float(value)) for unit, value in cells]
    for name in spreads:
        cells = zip(units, table[name], strict=True)
        shown[name] = [unit.spread(float(value)) for unit, value in cells]
    return shown


def _with(table: pd.DataFrame, name: str, cells: Sequence[str], before: str) -> pd.DataFrame:
    """Return a table with another column, before one of its own."""
    shown = table.copy()
    shown.insert(list(table.columns).index(before), name, pd.Series(cells, table.index, dtype=str))
    return shown
