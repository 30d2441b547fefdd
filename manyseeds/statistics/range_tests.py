"""Learning-rate range tests: the suggested rates and the losses along the way, seed by seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from manyseeds.statistics.scores import GROUP, ordinary
from manyseeds.suite.suite import Suite
from manyseeds.techniques.range_test import smoothed, suggestion

RULES = ("turning_point", "tenth", "largest", "half")
_SEED = [*GROUP, "phase", "seed"]
_QUANTILES = {"low": 0.1, "median": 0.5, "high": 0.9}


def range_tests_table(diagnostics: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return each rule's suggestion for each recipe with a range test, on each backend.

    Columns: `rule` (named as in `techniques.range_test.Suggestion`), `seeds`, `median`, and `low`
    and `high`, which enclose the rates of the middle 80 % of the seeds.
    """
    steps = range_test_steps(diagnostics, suite)
    suggestions = [
        dict(zip(_SEED, key, strict=True)) | {rule: getattr(suggestions, rule) for rule in RULES}
        for key, rows in steps.groupby(_SEED, sort=False)
        for suggestions in [suggestion(rows["rate"].to_numpy(), rows["loss"].to_numpy())]
    ]
    columns = [*GROUP, "rule", "seeds", *_QUANTILES]
    if not suggestions:
        return pd.DataFrame(columns=columns)
    long = pd.DataFrame(suggestions).melt(_SEED, RULES, "rule", "rate")
    groups = long.groupby([*GROUP, "rule"], sort=False)["rate"]
    table = pd.DataFrame({name: groups.quantile(share) for name, share in _QUANTILES.items()})
    return table.assign(seeds=groups.size()).reset_index()[columns]


def range_test_steps(diagnostics: pd.DataFrame, suite: Suite) -> pd.DataFrame:
    """Return rate, loss and smoothed loss of every step of every seed's range test, in order.

    A loss that is not finite is recorded as missing, and stays missing.
    """
    rows = ordinary(diagnostics, suite)
    rows = rows[rows["step"].notna() & rows["quantity"].isin(["rate", "loss"])]
    wide = rows.pivot_table(
        index=[*_SEED, "step"], columns="quantity", values="value", sort=False, dropna=False
    )
    wide = wide.reindex(columns=["rate", "loss"]).reset_index()
    wide = wide[wide["rate"].notna()].sort_values([*_SEED, "step"], kind="stable")
    smooth = wide.groupby(_SEED, sort=False)["loss"].transform(
        lambda loss: smoothed(loss.to_numpy(np.float64))
    )
    return wide.assign(smoothed=smooth)
