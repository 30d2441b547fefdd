"""Scores by seed, averaged over a recipe's cases: one number per seed, recipe and backend."""

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
    by_recipe: pd.DataFrame = means.where(whole).reindex(pd.MultiIndex.from_frame(order)).T
    return by_recipe


def lost_rows(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return, by recipe, how many ordinary rows were promised and how many have no score.

    Columns: `promised`, `diverged`, `lost` (failed, timed out or missing).
    """
    rows = ordinary(records, suite)
    diverged = rows["status"] == "diverged"
    marked = rows.assign(
        promised=1, diverged=diverged, lost=~diverged & (rows["status"] != "ok")
    ).groupby("recipe")[["promised", "diverged", "lost"]]
    return marked.sum().astype(int).reindex([n for n in suite.recipes() if n in marked.groups])


def tradeoff_table(scores: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return each recipe's score on each backend, and the seconds it takes.

    Parameters
    ----------
    scores
        The result of `seed_scores`.
    summary
        `manyseeds.statistics.summary_table` of the same records.

    Returns
    -------
    pandas.DataFrame
        `recipe`, `backend`, `score`, `low`, `high` (interval of the mean), `solo_seconds` and
        `cohort_seconds_per_seed` (means over cases; NaN where a case has none), without recipes
        that have no score.
    """
    intervals = mean_intervals(scores.to_numpy(float))
    table = pd.DataFrame(
        {"score": intervals.estimate, "low": intervals.low, "high": intervals.high},
        index=scores.columns,
    )
    seconds = summary.groupby(_RECIPE)[_SECONDS].mean(skipna=False)
    return table.join(seconds).reset_index().dropna(subset="score")
