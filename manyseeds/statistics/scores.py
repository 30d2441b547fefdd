"""Records as a wide table: one row per seed, one column per recipe, case and backend.

Three kinds of rows are kept apart. *Ordinary* rows vary every stream that the suite varies, and are
the evidence for claims. *Solo* rows exist for their seconds. Rows that vary a single stream belong
to the variance study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from manyseeds.statistics.bootstrap import Floats
from manyseeds.suite.claims import ClaimMetric
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.suite import Suite

RowKind = Literal["ordinary", "solo", "variance"]
"""The kinds of rows in a ledger."""

GROUP = ["recipe", "case", "backend"]
"""The columns that identify a group of seeds."""


def ordinary_vary(suite: Suite) -> str:
    """Return the value of `vary` in the suite's ordinary rows."""
    return "+".join(suite.varied)


def ordinary(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the rows that claims are about, delivered or not."""
    return records[(records["mode"] == "cohort") & (records["vary"] == ordinary_vary(suite))]


def solo(records: pd.DataFrame) -> pd.DataFrame:
    """Return the rows trained alone, for their seconds."""
    return records[records["mode"] == "solo"]


def row_kinds(records: pd.DataFrame, suite: Suite) -> pd.Series[str]:
    """Return the kind of each row: "ordinary", "solo" or "variance"."""
    kinds = (records["vary"] == ordinary_vary(suite)).map({True: "ordinary", False: "variance"})
    return kinds.where(records["mode"] != "solo", "solo")


def groups(rows: pd.DataFrame, suite: Suite) -> pd.MultiIndex:
    """Return the recipes, cases and backends of rows, in the order of the suite and the plan."""
    backends = list(rows["backend"].unique())
    order = {"recipe": suite.recipes(), "case": ("", *suite.cases()), "backend": backends}
    present = rows[GROUP].drop_duplicates()
    present = present.sort_values(
        GROUP, key=lambda column: column.map(order[str(column.name)].index)
    )
    return pd.MultiIndex.from_frame(present)


def measured(records: pd.DataFrame, metric: ClaimMetric) -> pd.Series[float]:
    """Return a metric of records; `generalisation_gap` is computed from two of them."""
    if metric == "generalisation_gap":
        return records["test_loss"] - records["fitted_loss"]
    return records[metric]


def _guesses(suite: Suite, metric: ClaimMetric) -> dict[str, float]:
    """Return, by recipe, the score of a network that gives all classes the same probability."""
    return {cell.recipe.name: _guess(cell.recipe, metric) for cell in suite.cells}


def _guess(recipe: Recipe, metric: ClaimMetric) -> float:
    output = recipe.phases[-1].network.output
    classes = output.units if output.activation.name == "softmax" else 2
    if output.activation.name == "linear":
        return np.nan
    if metric.endswith("accuracy"):
        return 1 / classes
    return np.log(classes) if metric.endswith("loss") else np.nan


@dataclass(frozen=True)
class ScoreTable:
    """A metric of the ordinary rows.

    Attributes
    ----------
    table
        [seeds, (recipe, case, backend)], in the suite's order; NaN where the row has no score or
        was never promised.
    promised
        The same shape: whether the plan promises the row.
    valueless
        The same shape: whether the row ended well, and yet has no finite value of the metric.
    columns
        The columns of each recipe and case, by backend.
    """

    table: pd.DataFrame
    promised: NDArray[np.bool_]
    valueless: NDArray[np.bool_]
    columns: Mapping[tuple[str, str], Mapping[str, int]]

    @classmethod
    def of(
        cls, records: pd.DataFrame, suite: Suite, metric: ClaimMetric, *, guessing: bool = False
    ) -> ScoreTable:
        """Return the ordinary rows as a table.

        A row that diverged is NaN or, with `guessing`, the score of a network that knows nothing,
        if the metric has one. An infinite score counts as none.
        """
        rows = records[[*GROUP, "mode", "vary", "seed", "status"]]
        rows = ordinary(rows.assign(**{metric: measured(records, metric)}), suite)
        value = rows[metric].where(rows["status"] == "ok").astype("float64")
        value = value.where(np.isfinite(value))
        if guessing:
            diverged = rows["recipe"][rows["status"] == "diverged"]
            value.update(diverged.map(_guesses(suite, metric)).astype("float64"))
        order = groups(rows, suite)
        columns: dict[tuple[str, str], dict[str, int]] = {}
        for place, (recipe, case, backend) in enumerate(order):
            columns.setdefault((recipe, case), {})[backend] = place
        seed, seeds = pd.factorize(rows["seed"].to_numpy(np.int64), sort=True)
        column = order.get_indexer(pd.MultiIndex.from_frame(rows[GROUP]))
        promised = np.zeros((len(seeds), len(order)), dtype=bool)
        promised[seed, column] = True
        if promised.sum() < len(rows):
            raise ValueError("the records contain a row of the plan twice")
        spread = np.full(promised.shape, np.nan)
        spread[seed, column] = value.to_numpy(np.float64)
        valueless = np.zeros(promised.shape, dtype=bool)
        valueless[seed, column] = (rows["status"] == "ok") & value.isna()
        table = pd.DataFrame(spread, index=pd.Index(seeds, name="seed"), columns=order)
        return cls(table, promised, valueless, columns)

    def times(self, factors: pd.Series[float]) -> ScoreTable:
        """Return the scores times a factor by recipe, case and backend; NaN where it is unknown."""
        known = factors.reindex(self.table.columns).to_numpy(np.float64)
        valueless = self.valueless | (np.isfinite(self.values) & ~np.isfinite(known))
        return replace(self, table=self.table * known, valueless=valueless)

    @cached_property
    def values(self) -> Floats:
        """The table as an array."""
        return self.table.to_numpy(np.float64)

    def cell(self, recipe: str, case: str) -> Mapping[str, int]:
        """Return the columns of a recipe's backends in a case.

        A recipe that does not depend on the suite's parameter has the case "" and stands for every
        case.
        """
        return self.columns.get((recipe, case)) or self.columns.get((recipe, "")) or {}

    def cases(self, recipe: str) -> tuple[str, ...]:
        """Return the cases in which a recipe was promised, in order."""
        return tuple(case for name, case in self.columns if name == recipe)
