"""Every recipe against a baseline: the recipes of the claims among all the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from manyseeds.statistics.bootstrap import mean_intervals
from manyseeds.statistics.pairs import Pairs, RecipeComparison, all_pairs
from manyseeds.statistics.scores import ScoreTable
from manyseeds.suite.recipe import Recipe, Task
from manyseeds.suite.suite import Suite

_COLUMNS = [
    "treatment", "baseline", "case", "backend", "promised", "pairs", "lost",
    "improvement", "low", "high",
]  # fmt: skip


def comparisons_table(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the improvement of every recipe over its baseline, per case and backend.

    The columns are those of `claims_table`. A recipe's baseline is the first claim's if both are
    scored on the same task, else the first recipe of the suite that is scored on its own task.
    """
    scores = ScoreTable.of(records, suite, suite.primary, guessing=True)
    pairs = [
        case_pairs
        for treatment, baseline in against(suite).items()
        for case_pairs in all_pairs(
            RecipeComparison(treatment, baseline, suite.primary, scores, scores)
        )
    ]
    return pd.DataFrame(_improvements(pairs), columns=_COLUMNS)


def _improvements(pairs: Sequence[Pairs]) -> list[dict[str, Any]]:
    """Return the mean improvement of each pairing per backend and pooled, bootstrapped together."""
    views = [(case, backend) for case in pairs for backend in case.views()]
    if not views:
        return []
    table = np.stack([case.improvement(backend) for case, backend in views], axis=1)
    intervals = mean_intervals(table)
    return [
        {
            "treatment": case.treatment,
            "baseline": case.baseline,
            "case": case.case,
            "backend": backend,
            "promised": case.promises(backend),
            "pairs": int(intervals.n[column]),
            "lost": case.promises(backend) - int(intervals.n[column]),
            "improvement": intervals.estimate[column],
            "low": intervals.low[column],
            "high": intervals.high[column],
        }
        for column, (case, backend) in enumerate(views)
    ]


def against(suite: Suite) -> dict[str, str]:
    """Return the baseline of each recipe that has one other than itself."""
    scored = {name: _scored(_first(suite, name)) for name in suite.recipes()}
    preferred = [claim.compared()[-1] for claim in suite.claims[:1]]
    order = [*preferred, *suite.recipes()]
    baselines = {
        name: next(other for other in order if scored[other] == task)
        for name, task in scored.items()
    }
    return {name: baseline for name, baseline in baselines.items() if name != baseline}


def _first(suite: Suite, name: str) -> Recipe:
    return next(cell.recipe for cell in suite.cells if cell.recipe.name == name)


def _scored(recipe: Recipe) -> Task:
    """Return the task whose test set scores a recipe; the amount of training data may differ."""
    return recipe.phases[-1].task.model_copy(update={"train": None, "name": ""})
