"""Every seed's score of every recipe, where a recipe has one number a seed and backend."""

from __future__ import annotations

import pandas as pd

from manyseeds.statistics.bootstrap import mean_intervals
from manyseeds.statistics.scores import ScoreTable, ordinary
from manyseeds.suite.suite import Suite

_RECIPE = ["recipe", "backend"]
_SECONDS = ["solo_seconds", "cohort_seconds_per_seed"]


def seed_scores(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the suite's metric by seed, averaged over a recipe's cases.

    Cases differ by far more than seeds do: a seed that lacks one of a recipe's cases has no score.

    Returns
    -------
    pandas.DataFrame
        [seeds, (recipe, backend)], in the suite's order and the metric's unit; NaN where a row is
        not `ok`.
    """
    scores = ScoreTable.of(records, suite, suite.primary).table
    order = scores.columns.to_frame()[_RECIPE].drop_duplicates()
    means = scores.T.groupby(level=_RECIPE, sort=False).mean()
    whole = scores.notna().T.groupby(level=_RECIPE, sort=False).all()
    found: pd.DataFrame = means.where(whole).reindex(pd.MultiIndex.from_frame(order)).T
    return found


def lost_rows(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return by recipe how many ordinary rows were promised, and how many have no score.

    Columns: `promised`, `diverged`, `lost` (failed, timed out or missing).
    """
    rows = ordinary(records, suite)
    diverged = rows["status"] == "diverged"
    marked = rows.assign(
        promised=1, diverged=diverged, lost=~diverged & (rows["status"] != "ok")
    ).groupby("recipe")[["promised", "diverged", "lost"]]
    return marked.sum().astype(int).reindex([n for n in suite.recipes() if n in marked.groups])


def tradeoff_table(scores: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return what each recipe scores on each backend, and in how many seconds.

    Parameters
    ----------
    scores
        `seed_scores`.
    summary
        `manyseeds.statistics.summary_table` of the same records.

    Returns
    -------
    pandas.DataFrame
        `recipe`, `backend`, `score`, `low`, `high` (BCa interval of the mean), `solo_seconds` and
        `cohort_seconds_per_seed` (means over cases; NaN where a case has none), without recipes
        that have no score.
    """
    found = mean_intervals(scores.to_numpy(float))
    table = pd.DataFrame(
        {"score": found.estimate, "low": found.low, "high": found.high}, index=scores.columns
    )
    seconds = summary.groupby(_RECIPE)[_SECONDS].mean(skipna=False)
    return table.join(seconds).reset_index().dropna(subset="score")
