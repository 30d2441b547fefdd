"""Performance profiles: on what share of problems a recipe is within a factor of the best one.

Dolan and Moré (2002), "Benchmarking optimization software with performance profiles".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from manyseeds.statistics.bootstrap import Floats


def performance_ratios(costs: ArrayLike) -> Floats:
    """Return each recipe's cost over the least of any recipe, per problem.

    Parameters
    ----------
    costs
        Times, epochs or errors, not negative: [problems, recipes]. NaN and infinity are problems
        that a recipe does not solve.

    Returns
    -------
    numpy.ndarray
        [problems, recipes], at least 1; infinity where a recipe does not solve a problem; NaN where
        none does. A cost of 0 is the best there is, and infinitely better than any other.
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

    Problems that no recipe solves count: nobody is within any factor there.

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
