"""Seconds of one training alone, and of one seed's share of a cohort; the two never mix."""

from __future__ import annotations

import pandas as pd

from manyseeds.statistics.scores import GROUP, groups, ordinary, solo
from manyseeds.suite.suite import Suite

_SPENT = ["seconds_train", "seconds_evaluate", "seconds_shared"]


def seconds_table(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return mean seconds by recipe, case and backend, over the rows that are ok.

    Solo rows give `solo_rows`, `solo_seconds` (training, evaluation and shared phases of one
    network trained alone) and `solo_compile_seconds`. Ordinary rows give `cohort_seconds_per_seed`
    (the cohort's seconds over its lanes, shared phases included) and `cohort_compile_seconds` (for
    the whole cohort).
    """
    records = records[[*GROUP, "mode", "vary", "status", "lanes", "seconds_compile", *_SPENT]]
    rows = ordinary(records, suite)
    alone = _spent(solo(records)).groupby(GROUP)
    together = _spent(rows).groupby(GROUP)
    table = pd.DataFrame(
        {
            "solo_rows": alone["spent"].count(),
            "solo_seconds": alone["spent"].mean(),
            "solo_compile_seconds": alone["seconds_compile"].mean(),
            "cohort_seconds_per_seed": together["per_seed"].mean(),
            "cohort_compile_seconds": together["seconds_compile"].mean(),
        }
    ).reindex(groups(rows, suite))
    return table.assign(solo_rows=table["solo_rows"].fillna(0).astype(int))


def _spent(rows: pd.DataFrame) -> pd.DataFrame:
    delivered = rows[rows["status"] == "ok"]
    return delivered[[*GROUP, "seconds_compile"]].assign(
        spent=seconds_spent(delivered), per_seed=seconds_per_seed(delivered)
    )


def seconds_spent(records: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds of training, evaluation and shared phases; NaN if a part is unknown."""
    return records[_SPENT].astype("float64").sum(axis="columns", skipna=False)


def seconds_per_seed(records: pd.DataFrame) -> pd.Series[float]:
    """Return each record's share of its cohort's seconds; NaN if a part is unknown."""
    return seconds_spent(records) / records["lanes"].astype("float64")
