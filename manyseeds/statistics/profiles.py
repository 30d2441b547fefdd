"""Performance profiles: the share of problems on which a recipe is within a factor of the best one.

Dolan and Moré (2002), "Benchmarking optimization software with performance profiles".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.scores import ScoreTable, ordinary
from manyseeds.suite.claims import less_is_better
from manyseeds.suite.suite import Suite


def performance_ratios(costs: ArrayLike) -> Floats:
    """Return each recipe's cost over the least cost of any recipe, per problem.

    Parameters
    ----------
    costs
        Times, epochs or errors, not negative: [problems, recipes]. NaN and infinity mark problems
        that a recipe does not solve.

    Returns
    -------
    numpy.ndarray
        [problems, recipes], at least 1; infinity where a recipe does not solve a problem; NaN where
        no recipe does. A cost of 0 is the best possible, and infinitely better than any other.
    """
    table = np.asarray(costs, dtype=np.float64)
    solved = np.isfinite(table)
    best = np.where(solved, table, np.inf).min(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(table == best, 1.0, table / best)
    ratios = np.where(solved, ratios, np.inf)
    return np.where(solved.any(axis=1, keepdims=True), ratios, np.nan)


def performance_profile(costs: ArrayLike, factors: ArrayLike) -> Floats:
    """Return the share of problems on which each recipe's ratio is at most each factor.

    Problems that no recipe solves count: no recipe is within any factor there.

    Parameters
    ----------
    costs
        As for `performance_ratios`.
    factors
        [factors], at least 1.

    Returns
    -------
    numpy.ndarray
        [factors, recipes]; NaN without problems.
    """
    ratios = performance_ratios(costs)
    if not len(ratios):
        return np.full((len(np.atleast_1d(factors)), ratios.shape[1]), np.nan)
    tau = np.atleast_1d(np.asarray(factors, dtype=np.float64))[:, None, None]
    within: Floats = (ratios <= tau * (1 + 1e-12)).mean(axis=1)
    return within


def error_costs(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return every recipe's test error, or test loss, on every problem.

    A problem is a seed in a case on a backend: all recipes meet the same streams there. A training
    that diverged does not solve it. The recipes compared are those scored on the task that most
    recipes end with; a problem that one of them lacks (failed, timed out or missing) is left out.

    Returns
    -------
    pandas.DataFrame
        [problems, recipes], by case, backend and seed; infinity where a training diverged.
    """
    metric = suite.primary
    values = ScoreTable.of(records, suite, metric)
    costs = values.table if less_is_better(metric) else 1 - values.table
    costs = costs.mask(_diverged(records, suite).reindex_like(costs).eq(1.0), np.inf)
    cases = [case for case in suite.cases() if case] or [""]
    backends = list(dict.fromkeys(costs.columns.get_level_values("backend")))
    problems = pd.MultiIndex.from_product(
        [cases, backends, costs.index], names=["case", "backend", "seed"]
    )
    columns = {
        recipe: np.concatenate([
            costs.iloc[:, cell[backend]] if backend in cell else np.full(len(costs), np.nan)
            for case in cases
            for cell in [values.cell(recipe, case)]
            for backend in backends
        ])
        for recipe in _of_one_task(suite, costs)
    }  # fmt: skip
    return pd.DataFrame(columns, index=problems).dropna(how="any")


def _diverged(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    rows = ordinary(records, suite)
    index = rows.assign(diverged=(rows["status"] == "diverged").astype(float))
    return index.set_index(["seed", "recipe", "case", "backend"])["diverged"].unstack(
        ["recipe", "case", "backend"]
    )


def _of_one_task(suite: Suite, costs: pd.DataFrame) -> list[str]:
    """Return the recipes whose last task is the one that most recipes end with."""
    present = set(costs.columns[costs.notna().any()].get_level_values("recipe"))
    ends = {
        cell.recipe.name: cell.recipe.phases[-1].task
        for cell in suite.cells
        if cell.recipe.name in present
    }
    counts = pd.Series(list(ends.values()), dtype=object).value_counts(sort=True)
    return [name for name, task in ends.items() if task == counts.index[0]] if ends else []
