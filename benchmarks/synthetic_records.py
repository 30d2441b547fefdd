"""Synthetic records of a suite's recipes, to time the statistics on.

They were never trained, and no table made from them means anything.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from manyseeds.ledger.schemas import METRICS, RECORD_SCHEMA, SECONDS
from manyseeds.suite.suite import Suite

BACKENDS = ("pytorch", "tensorflow", "jax")


def records_of(suite: Suite, rows: int) -> pd.DataFrame:
    """Return about `rows` records, with as many seeds for each recipe, case and backend."""
    cells = [(cell.recipe.name, cell.case, backend) for cell in suite.cells for backend in BACKENDS]
    seeds = max(1, rows // len(cells))
    table = pd.DataFrame(np.repeat(cells, seeds, axis=0), columns=["recipe", "case", "backend"])
    rng = np.random.default_rng(0)
    table["suite"], table["mode"], table["vary"] = suite.name, "cohort", "+".join(suite.varied)
    table["seed"] = np.tile(np.arange(seeds), len(cells))
    table["lanes"], table["epochs"] = suite.lanes, 10
    table["status"] = np.where(rng.random(len(table)) < 0.999, "ok", "diverged")
    for name in (*METRICS, *SECONDS):
        table[name] = np.round(rng.beta(95, 5, len(table)) * 2000) / 2000
    return table.reindex(columns=RECORD_SCHEMA.names)
