"""Entries of the accuracy layer: the scores of every seed of a recipe, and their conditions.

One entry for each suite, recipe, case and backend. Its arrays are `seeds`, `status` (an index into
`STATUSES`) and the ledger's metrics, each [seeds]; a diverged seed counts as guessing, as in the
report, and a seed without a score is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.rows import Row
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.schemas import METRICS
from manyseeds.ledger.versions import latest_versions, trained_versions
from manyseeds.statistics.scores import GROUP, ScoreTable, groups, ordinary
from manyseeds.statistics.summary import STATUSES
from manyseeds.suite.claims import Calibration, ClaimMetric, Difference, Share
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.suite import Suite

FORM = 1
"""The form of the entries; entries of another form are not read."""

LEAST_EFFECTS = {"test_accuracy": 0.005, "test_loss": 0.02}
"""The least effects in a suite whose claims state none."""

Conditions = Mapping[str, Mapping[str, Any]]
"""By backend: "versions", "device", "machine", "threads", "precision", "datasets", …"""


def suite_file() -> Path:
    """Return the file of the gate's own suite, trained if no other is named."""
    return Path(__file__).with_name("gate.toml")


def entries_of(ledger: Ledger) -> list[BaselineEntry]:
    """Return the entries of a run, made from its ordinary rows, delivered or not.

    Raises
    ------
    RequestError
        This version of manyseeds can no longer read the run's suite.
    RunError
        The ledger is damaged.
    """
    plan = ledger.plan
    records, sessions = ledger.records(), ledger.provenance
    trained = trained_versions(sessions, records)
    versions = {b: trained.get(b) or latest_versions(sessions, b) or {} for b in plan.backends()}
    conditions = {
        backend: {**_conditions(plan, sessions, backend), "versions": versions[backend]}
        for backend in plan.backends()
    }
    return entries_from(records, ledger.suite, conditions)


def entries_from(
    records: pd.DataFrame, suite: Suite, conditions: Conditions
) -> list[BaselineEntry]:
    """Return the entries of records.

    Parameters
    ----------
    records
        As `Ledger.records` returns them.
    suite
        The suite that was trained.
    conditions
        The conditions of each backend.
    """
    rows = ordinary(records, suite)
    if rows.empty:
        return []
    scores = {
        metric: ScoreTable.of(records, suite, cast(ClaimMetric, metric), guessing=True).table
        for metric in METRICS
        if np.isfinite(rows[metric].astype("float64")).any()
    }
    by_group = dict(iter(rows.groupby(GROUP)))
    return [
        _entry(group, by_group[group].sort_values("seed"), suite, scores, conditions)
        for group in groups(rows, suite)
    ]


def least_effects(suite: Suite) -> dict[str, float]:
    """Return the least difference that counts in a suite, by metric: the smallest of its claims.

    The suite's own metric is always included, another only if a claim is about a difference in it.
    """
    smallest: dict[str, float] = {}
    for claim in suite.claims:
        if isinstance(claim, Difference | Calibration | Share):
            known = smallest.get(claim.metric, np.inf)
            smallest[claim.metric] = min(known, claim.least_effect)
    chosen = {metric: effect for metric, effect in smallest.items() if metric in METRICS}
    primary = {suite.primary: smallest.get(suite.primary, LEAST_EFFECTS[suite.primary])}
    return primary | chosen


def _entry(
    group: tuple[str, str, str],
    rows: pd.DataFrame,
    suite: Suite,
    scores: Mapping[str, pd.DataFrame],
    conditions: Conditions,
) -> BaselineEntry:
    recipe, case, backend = group
    seeds = rows["seed"].to_numpy(np.int64)
    arrays = {
        "seeds": seeds,
        "status": np.array([STATUSES.index(status) for status in rows["status"]], dtype=np.int8),
    }
    for metric, table in scores.items():
        values = table[group].reindex(seeds).to_numpy(np.float64)
        if np.isfinite(values).any():
            arrays[metric] = values
    question = _question(suite, suite.recipe(recipe, case))
    delivery = {
        "lanes": int(rows["lanes"].max()) if rows["lanes"].notna().any() else None,
        "reasons": sorted(set(rows["reason"].dropna()) - {""}),
    }
    own = {"versions": {}, **conditions.get(backend, {})}
    data = own.pop("datasets", {})
    own["datasets"] = {name: dict(data.get(name, {})) for name in question["data"]}
    subject = "/".join(part for part in (suite.name, recipe, case) if part)
    row = Row("accuracy", backend, subject)
    return BaselineEntry(row, {**own, **question, **delivery}, arrays)


def _question(suite: Suite, recipe: Recipe) -> dict[str, Any]:
    """Return everything that makes two entries answers to the same question."""
    return {
        "form": FORM,
        "suite": suite.name,
        "primary": suite.primary,
        "varied": list(suite.varied),
        "least_effects": least_effects(suite),
        "recipe_sha256": recipe.fingerprint(),
        "recipe": recipe.model_dump(mode="json"),
        "data": sorted({phase.task.dataset for phase in recipe.phases}),
    }


def _conditions(plan: Plan, sessions: list[dict[str, Any]], backend: str) -> dict[str, Any]:
    """Return the conditions recorded by the last session that opened the backend."""
    opened = [entry for entry in sessions if backend in entry.get("backends", {})]
    session = opened[-1] if opened else {}
    environment = session.get("backends", {}).get(backend, {})
    return {
        "device": environment.get("device", plan.device),
        "machine": environment.get("device_name") or session.get("processor", ""),
        "platform": session.get("platform", ""),
        "threads": environment.get("threads", plan.threads),
        "switches": environment.get("switches", {}),
        "precision": plan.precision,
        "deterministic": plan.deterministic,
        "tf32": plan.tf32,
        "quick": plan.quick,
        "run": plan.run,
        "commit": session.get("commit"),
        "dirty": session.get("dirty"),
        "datasets": session.get("datasets", {}),
    }
