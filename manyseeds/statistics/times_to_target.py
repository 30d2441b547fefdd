"""The time that each training took to reach a validation accuracy, for claims about times.

A training that never reached it counts as reaching it at the horizon, the end of the shorter
training. A training whose curve is missing is another thing: nobody knows when it got there.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from manyseeds.statistics.evidence import Evidence
from manyseeds.statistics.scores import GROUP, ScoreTable, ordinary, solo
from manyseeds.suite.claims import TimeToTarget
from manyseeds.suite.suite import Suite

_TRAINING = ["seed", "mode", "vary", *GROUP]
"""The columns that identify a training in records and curves."""


def horizon(claim: TimeToTarget, suite: Suite) -> int:
    """Return the epochs of the shorter training."""
    return min(
        sum(phase.epochs for phase in cell.recipe.phases)
        for cell in suite.cells
        if cell.recipe.name in claim.compared()
    )


def time_scores(claim: TimeToTarget, evidence: Evidence) -> ScoreTable:
    """Return the time to the target as scores, by the claim's clock; NaN where it is unknown."""
    records = evidence.records.assign(test_loss=_first_epochs(claim, evidence))
    # The curve says how far a lane came that diverged: it needs no score for guessing.
    records["status"] = records["status"].where(records["status"] != "diverged", "ok")
    epochs = ScoreTable.of(records, evidence.suite, "test_loss")
    return epochs if claim.clock == "epochs" else epochs.times(_seconds_per_epoch(evidence))


def never(claim: TimeToTarget, evidence: Evidence) -> tuple[int, int]:
    """Return how many trainings never reached the target: of the treatment, of the baseline.

    A training whose curve is missing is not one of them.
    """
    rows = ordinary(evidence.records, evidence.suite)
    reached = _reached(claim, evidence).loc[rows.index]
    without = reached["curve"] & reached["first"].isna()
    treatment, baseline = (int(without[rows["recipe"] == name].sum()) for name in claim.compared())
    return treatment, baseline


def _first_epochs(claim: TimeToTarget, evidence: Evidence) -> pd.Series[float]:
    """Return the first epoch at the target: the horizon if never reached, NaN without a curve."""
    reached = _reached(claim, evidence)
    return reached["first"].fillna(horizon(claim, evidence.suite)).where(reached["curve"])


def _reached(claim: TimeToTarget, evidence: Evidence) -> pd.DataFrame:
    """Return, for each record, the `first` epoch at the target in time, and if it has a `curve`.

    Every training has a row in its curve, even one that diverged at once. A curve without any
    validation accuracy counts as none, unless the training diverged.
    """
    if evidence.curves is None:
        raise ValueError(
            f"claim {claim.name!r} is about the time to a target: it needs the ledger's curves"
        )
    curves = evidence.curves[evidence.curves["recipe"].isin(claim.compared())]
    accuracy = curves["valid_accuracy"]
    in_time = (accuracy >= claim.target) & (curves["epoch"] <= horizon(claim, evidence.suite))
    by_training = (
        curves[_TRAINING]
        .assign(first=curves["epoch"].astype("float64").where(in_time), known=accuracy.notna())
        .groupby(_TRAINING)
        .agg(first=("first", "min"), known=("known", "any"))
    )
    joined = evidence.records[[*_TRAINING, "status"]].merge(
        by_training.reset_index(), on=_TRAINING, how="left", indicator=True
    )
    has_rows = joined["_merge"] == "both"
    curve = (has_rows & joined["known"].eq(True) & (joined["status"] == "ok")) | (
        has_rows & (joined["status"] == "diverged")
    )
    table = pd.DataFrame({"first": joined["first"].astype("float64"), "curve": curve})
    return table.set_axis(evidence.records.index)


def _seconds_per_epoch(evidence: Evidence) -> pd.Series[float]:
    """Return the seconds of an epoch trained alone, by recipe, case and backend."""
    alone = solo(evidence.records)
    alone = alone[alone["status"] == "ok"]
    spent = alone["seconds_train"] + alone["seconds_shared"]
    per_epoch = spent / alone["epochs"].astype("float64").replace(0.0, np.nan)
    return per_epoch.groupby([alone[name] for name in GROUP]).mean()
