"""Diagnostics by layer: the median seed's network before and after training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from manyseeds.statistics.scores import ordinary
from manyseeds.suite.suite import Suite

_KEYS = ["recipe", "case", "backend", "quantity", "phase", "epoch", "depth", "layer"]
_NETWORK = ["recipe", "case", "backend", "seed", "phase", "epoch", "layer"]
_COLUMNS = [*_KEYS, "seeds", "median", "low", "high"]


def layers_table(diagnostics: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return each quantity of each layer, before the first recorded epoch and after the last.

    Columns: `depth` (1 for the layer next to the input), `seeds`, `median`, and `low` and `high`,
    which enclose the middle 80 % of the seeds.
    """
    rows = ordinary(diagnostics, suite)
    rows = _numbers(rows[rows["layer"] != ""])
    if rows.empty:
        return pd.DataFrame(columns=_COLUMNS)
    ends = rows.groupby(["recipe", "case"])["epoch"]
    rows = rows[(rows["epoch"] == ends.transform("min")) | (rows["epoch"] == ends.transform("max"))]
    rows = rows.assign(depth=_depths(rows))
    groups = rows.groupby(_KEYS, sort=False)["value"]
    table = groups.quantile(np.array([0.1, 0.5, 0.9])).unstack()
    table.columns = ["low", "median", "high"]
    layers: pd.DataFrame = table.assign(seeds=groups.size()).reset_index()[_COLUMNS]
    return layers


def _numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop missing values, and dead units of layers whose outputs are not numbers.

    A unit that is NaN for every training row is never 0, but not a living unit either.
    """
    places = pd.MultiIndex.from_frame(rows[_NETWORK])
    broken = places[(rows["quantity"] == "output_mean") & rows["value"].isna()]
    dead = (rows["quantity"] == "dead") & places.isin(broken)
    return rows[~dead].dropna(subset=["value"])


def _depths(rows: pd.DataFrame) -> pd.Series[int]:
    """Number the layers of each recipe's phase in the order in which they were recorded."""
    places = rows[["recipe", "case", "phase", "layer"]].drop_duplicates()
    depth = places.groupby(["recipe", "case", "phase"]).cumcount() + 1
    numbered = rows.merge(places.assign(depth=depth), how="left")
    return pd.Series(numbered["depth"].to_numpy(), index=rows.index)
