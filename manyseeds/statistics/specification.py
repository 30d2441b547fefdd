"""The specification curve: a claim's effect in every way that a suite tries it, from least to most.

Simonsohn, Simmons and Nelson (2020): someone free to choose recipe, case, backend and seed can
report any point of the curve; the whole curve shows how much depends on the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from manyseeds.statistics.comparisons import comparisons_table
from manyseeds.statistics.pairs import ALL
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.suite import Suite

_CHOICES: Mapping[str, Callable[[Recipe], object]] = {
    "optimizer": lambda recipe: recipe.phases[-1].optimizer.name,
    "rate": lambda recipe: f"{recipe.phases[-1].rate:g}",
    "layers reused": lambda recipe: max(len(phase.reuse or ()) for phase in recipe.phases),
    "epochs frozen": lambda recipe: sum(p.epochs for p in recipe.phases if p.frozen),
    "epochs": lambda recipe: sum(phase.epochs for phase in recipe.phases),
    "batch": lambda recipe: recipe.phases[-1].batch,
}
"""The choices a recipe makes, by their name in words."""

COLUMNS = ["rank", "recipe", "baseline", "case", "backend", "pairs", "improvement", "low", "high"]


def specification_table(
    records: pd.DataFrame, suite: Suite, comparisons: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return one row per specification: a recipe in a case on a backend, against its baseline.

    Columns: `rank` (from 1, by improvement), `recipe`, `baseline`, `case`, `backend`, `pairs`,
    `improvement`, `low`, `high` (as in `comparisons_table`) and those of `_CHOICES` in which the
    suite's recipes differ. `comparisons` is the result of `comparisons_table`, if already known.
    """
    table = comparisons_table(records, suite) if comparisons is None else comparisons
    single = (table["backend"] != ALL) & (table["case"] != ALL) & (table["pairs"] > 0)
    specifications = table[single].rename(columns={"treatment": "recipe"})
    specifications = specifications.sort_values("improvement", kind="stable").reset_index(drop=True)
    specifications = specifications.assign(rank=np.arange(1, len(specifications) + 1))[COLUMNS]
    recipes = {cell.recipe.name: cell.recipe for cell in suite.cells}
    for name, choice in _CHOICES.items():
        values = specifications["recipe"].map(lambda recipe, pick=choice: pick(recipes[recipe]))
        if values.nunique() > 1:
            specifications[name] = values
    return specifications


def choices(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the values of each choice, by its name; choices with a single value are left out."""
    names = ["backend", "case", *(name for name in table.columns if name not in COLUMNS)]
    values_by_choice = {name: [str(value) for value in pd.unique(table[name])] for name in names}
    return {
        name: sorted(values, key=_by_size)
        for name, values in values_by_choice.items()
        if len(values) > 1
    }


def _by_size(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return np.inf, text
