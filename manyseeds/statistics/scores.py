"""Records as a wide table: one row a seed, one column a recipe, case and backend.

Three kinds of rows are kept apart. *Ordinary* rows vary every stream the suite says and are what
claims are about; *solo* rows are there for their seconds; rows that vary a single stream belong
to the variance study.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from manyseeds.suite import Suite

GROUP = ["recipe", "case", "backend"]

Measure = Literal["test_accuracy", "test_loss"]


def ordinary_vary(suite: Suite) -> str:
    """Return what `vary` says in the suite's ordinary rows."""
    return "+".join(suite.varied)


def ordinary(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the rows that claims are about, delivered or not."""
    return records[(records["mode"] == "cohort") & (records["vary"] == ordinary_vary(suite))]


def solo(records: pd.DataFrame) -> pd.DataFrame:
    """Return the rows trained alone, for their seconds."""
    return records[records["mode"] == "solo"]


def one_stream(records: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return the rows of the variance study, which vary a single stream."""
    other = records["vary"] != ordinary_vary(suite)
    return records[(records["mode"] == "cohort") & other]


def groups(rows: pd.DataFrame, suite: Suite) -> pd.MultiIndex:
    """Return the recipes, cases and backends of some rows: as the suite and the plan have them."""
    backends = list(dict.fromkeys(rows["backend"]))
    order = {"recipe": suite.recipes(), "case": ("", *suite.cases()), "backend": backends}
    found = rows[GROUP].drop_duplicates()
    found = found.sort_values(GROUP, key=lambda column: column.map(order[str(column.name)].index))
    return pd.MultiIndex.from_frame(found)


@dataclass(frozen=True)
class Scores:
    """A metric of the ordinary rows.

    Attributes
    ----------
    values
        [seeds, (recipe, case, backend)], in the suite's order; NaN where the row is not `ok` or
        was never promised.
    promised
        The same shape: whether the plan promises the row.
    """

    values: pd.DataFrame
    promised: pd.DataFrame

    @classmethod
    def of(cls, records: pd.DataFrame, suite: Suite, metric: Measure) -> Scores:
        """Spread the ordinary rows out."""
        rows = ordinary(records, suite)
        rows = rows.assign(value=rows[metric].where(rows["status"] == "ok"), promised=True)
        index = rows.set_index(["seed", *GROUP])
        columns = groups(rows, suite)
        values = index["value"].astype("float64").unstack(GROUP)
        promised = index["promised"].unstack(GROUP, fill_value=False).astype(bool)
        return cls(values.reindex(columns=columns), promised.reindex(columns=columns))

    def cell(self, recipe: str, case: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return values and promises of a recipe, [seeds, backends].

        A recipe that does not depend on the suite's parameter has the case "" and stands for
        every case.
        """
        return _cell(self.values, recipe, case), _cell(self.promised, recipe, case)

    def cases(self, recipe: str) -> tuple[str, ...]:
        """Return the cases a recipe was promised in, in order."""
        columns = self.values.columns
        own = columns[columns.get_level_values("recipe") == recipe]
        return tuple(dict.fromkeys(own.get_level_values("case")))


def _cell(table: pd.DataFrame, recipe: str, case: str) -> pd.DataFrame:
    columns = table.columns
    recipes, cases = columns.get_level_values("recipe"), columns.get_level_values("case")
    chosen = (recipes == recipe) & (cases == case)
    if not chosen.any():
        chosen = (recipes == recipe) & (cases == "")
    part = table.loc[:, chosen]
    return part.set_axis(part.columns.get_level_values("backend"), axis="columns")
