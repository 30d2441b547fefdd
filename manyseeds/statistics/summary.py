"""The summary table: rows promised and delivered, scores and seconds, by recipe and backend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from manyseeds.statistics.bootstrap import Floats, mean_intervals, ratio
from manyseeds.statistics.scores import GROUP, ScoreTable, groups, ordinary
from manyseeds.statistics.training_seconds import seconds_table
from manyseeds.suite.claims import PrimaryMetric
from manyseeds.suite.suite import Suite

STATUSES = ("ok", "diverged", "failed", "timed_out", "missing")
_FIGURES = ("mean", "sd", "low", "high", "median", "iqm", "min", "max")


def summary_table(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return one row per recipe, case and backend, in the suite's order.

    Columns: `promised`, and how many rows are `ok`, `diverged`, `failed`, `timed_out` and `missing`
    · of the `ok` rows' test accuracy (a share), or test loss where that is the suite's metric:
    `accuracy_mean`, `_sd`, `_low` and `_high` (interval of the mean, cut off where the metric
    ends), `_median`, `_iqm` (mean of the middle half), `_min`, `_max` · the same of the error, 1 -
    accuracy, as `error_…` · the columns of `seconds_table`.
    """
    counts = count_table(records, suite)
    metric: PrimaryMetric = suite.primary
    values = ScoreTable.of(records, suite, metric).table
    most = 1.0 if metric == "test_accuracy" else np.inf
    described = describe(values, most)
    name = metric.removeprefix("test_")
    parts = [counts, described.add_prefix(f"{name}_")]
    if metric == "test_accuracy":
        parts.append(describe(1 - values, most).add_prefix("error_"))
    return pd.concat([*parts, seconds_table(records, suite)], axis="columns").reset_index()


def count_table(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the rows promised and their statuses, counted by recipe, case and backend."""
    rows = ordinary(records[[*GROUP, "mode", "vary", "status"]], suite)
    counts = rows.groupby([*GROUP, "status"]).size().unstack("status", fill_value=0)
    counts = counts.reindex(index=groups(rows, suite), columns=list(STATUSES), fill_value=0)
    counts.insert(0, "promised", counts.sum(axis="columns"))
    return counts.astype(int).rename_axis(columns=None)


def describe(values: pd.DataFrame, most: float = np.inf) -> pd.DataFrame:
    """Describe each column of [seeds, groups] on a scale from 0 to `most`; NaN in empty columns."""
    intervals = mean_intervals(values.to_numpy(float))
    columns = {
        "mean": intervals.estimate,
        "sd": values.std().to_numpy(),
        "low": np.maximum(intervals.low, 0.0),
        "high": np.minimum(intervals.high, most),
        "median": values.median().to_numpy(),
        "iqm": _iqm(values.to_numpy(float)),
        "min": values.min().to_numpy(),
        "max": values.max().to_numpy(),
    }
    return pd.DataFrame(columns, index=values.columns, columns=list(_FIGURES), dtype=float)


def _iqm(values: Floats) -> Floats:
    """Return the interquartile mean of each column (Agarwal et al. 2021)."""
    count = np.isfinite(values).sum(axis=0)
    cut = count // 4
    rank = np.arange(len(values))[:, None]
    middle = (rank >= cut) & (rank < count - cut)
    return ratio(np.where(middle, np.sort(values, axis=0), 0.0).sum(axis=0), middle.sum(axis=0))
