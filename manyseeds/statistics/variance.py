"""Variance by stream: the spread that each source of randomness causes on its own.

Each stream is varied alone while the others are pinned (Bouthillier et al. 2021). On identical
streams only the backend differs: the variance left between backends is the frameworks' own noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from manyseeds.statistics.bootstrap import mean_intervals, sd_intervals
from manyseeds.statistics.pairs import ALL
from manyseeds.statistics.scores import ordinary_vary
from manyseeds.suite.suite import Suite

TOGETHER = "together"
BETWEEN = "between backends"
_CELL = ["recipe", "case", "stream"]
_COLUMNS = [*_CELL, "backend", "promised", "ok", "sd", "low", "high"]


def variance_table(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the standard deviation of the suite's metric by recipe, case, stream and backend.

    Columns: `stream` (the one varied alone; "together": the suite's ordinary rows; "between
    backends": the spread left on identical streams, with `backend` "all") · `promised`, `ok` (rows;
    for "between backends" seeds, and seeds on two backends or more) · `sd`, `low`, `high` (its
    interval), in the metric's unit. Only the recipes of the suite's variance study are included.
    """
    rows = _studied(records, suite)
    if rows.empty:
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.concat([_spread(rows), _between(rows)], ignore_index=True)
    return _ordered(table, suite)[_COLUMNS]


def _studied(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the cohort rows of the recipes under study, with the name of the stream varied."""
    cohort = records[records["mode"] == "cohort"]
    all_varied = cohort["vary"] == ordinary_vary(suite)
    studied = set(cohort.loc[~all_varied, "recipe"])
    if suite.variance:
        studied |= set(suite.variance.recipes)
    stream = cohort["vary"].where(~all_varied, TOGETHER)
    value = cohort[suite.primary].where(cohort["status"] == "ok")
    value = value.where(np.isfinite(value.astype("float64")))
    return cohort.assign(stream=stream, value=value)[cohort["recipe"].isin(studied)]


def _spread(rows: pd.DataFrame) -> pd.DataFrame:
    keys = [*_CELL, "backend"]
    columns = pd.MultiIndex.from_frame(rows[keys].drop_duplicates())
    wide = rows.set_index(["seed", *keys])["value"].astype("float64").unstack(keys)
    wide = wide.reindex(columns=columns)
    intervals = sd_intervals(wide.to_numpy(float))
    promised = rows.groupby(keys).size().reindex(columns)
    return pd.DataFrame(
        {
            "promised": promised.to_numpy(),
            "ok": intervals.n,
            "sd": intervals.estimate,
            "low": intervals.low,
            "high": intervals.high,
        },
        index=columns,
    ).reset_index()


def _between(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the root of the mean over seeds of the variance between backends."""
    together = rows[rows["stream"] == TOGETHER]
    cells = together.groupby(["recipe", "case", "seed"])["value"]
    within = cells.var().astype("float64").unstack("seed")
    several = together.groupby(["recipe", "case"])["backend"].nunique() > 1
    within = within[several.reindex(within.index)]
    intervals = mean_intervals(within.to_numpy(float).T)
    seeds = together.groupby(["recipe", "case"])["seed"].nunique().reindex(within.index)
    return pd.DataFrame(
        {
            "stream": BETWEEN,
            "backend": ALL,
            "promised": seeds.to_numpy(),
            "ok": intervals.n,
            "sd": np.sqrt(intervals.estimate),
            "low": np.sqrt(np.maximum(intervals.low, 0.0)),
            "high": np.sqrt(intervals.high),
        },
        index=within.index,
    ).reset_index()


def _ordered(table: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Sort by recipe, case and stream in the suite's order; single streams before all together."""
    recipes, cases = list(suite.recipes()), ["", *suite.cases()]
    streams = list(_streams(table))

    def place(column: pd.Series) -> pd.Series:
        known = {"recipe": recipes, "case": cases, "stream": streams}[str(column.name)]
        return column.map(known.index)

    return table.sort_values(_CELL, key=place, kind="stable").reset_index(drop=True)


def _streams(table: pd.DataFrame) -> Iterator[str]:
    last = (TOGETHER, BETWEEN)
    yield from (name for name in dict.fromkeys(table["stream"]) if name not in last)
    yield from last
