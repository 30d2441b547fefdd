"""Explains a row of the numerics layer: the trajectories then and now, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.settings import Device
from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.finding_text import versions
from manyseeds.check.findings import Finding
from manyseeds.check.numerics.comparison import compare
from manyseeds.check.numerics.differences import (
    Arrays,
    FingerprintDifferences,
    differences_between,
)
from manyseeds.check.numerics.measurement import NumericsOptions, measure
from manyseeds.check.numerics.reasons import ReasonOptions, with_reasons
from manyseeds.check.rows import Row
from manyseeds.errors import RequestError, unknown
from manyseeds.presentation.command_result import Outcome

STEPS_AROUND = 3
"""Steps shown on either side of the first difference."""

_QUANTITIES = (
    ("loss", "loss"),
    ("penalty", "penalty"),
    ("gradient", "gradient, norm"),
    ("moved", "weights after, norm"),
    ("averages", "moving averages after, norm"),
    ("asked/rate", "rate"),
    ("asked/momentum", "momentum"),
)
"""Names of arrays, and how they are shown."""


def explain(row: Row, baseline: Baseline, *, device: Device = "cpu") -> Outcome:
    """Follow a row's recipe again and show it beside the baseline, with the likely reason.

    Parameters
    ----------
    row
        A row of the numerics that the baseline has.
    device
        Where the backend computes.

    Raises
    ------
    RequestError
        The baseline has no entry of the row.
    """
    then = baseline.entry(row) if row.layer == "numerics" else None
    if then is None:
        known = map(str, baseline.rows("numerics"))
        raise RequestError(unknown("row", str(row), known))
    now = measure([row.backend], [row.subject], NumericsOptions(device=device))
    options = ReasonOptions(most=1, device=device)
    result = with_reasons(compare(now, baseline), now, baseline, options)
    (finding,) = result.findings
    entry = now.by_row.get(row)
    if entry is None or finding.state == "not comparable":
        return Outcome(str(row), ("finding",), ((finding.message,),), 1)
    return side_by_side(finding, entry, then)


def side_by_side(finding: Finding, now: BaselineEntry, then: BaselineEntry) -> Outcome:
    """Return a table of both trajectories of the first lane around their first difference."""
    differences = differences_between(now, then)
    notes = [finding.message]
    if finding.reason:
        notes.append(f"likely reason: {finding.reason}")
    changed_versions = versions(then.versions, now.versions)
    notes.append(f"versions: {changed_versions or 'the same'}")
    notes.append(_errors(differences))
    return Outcome(
        title=str(finding.row),
        columns=("phase", "step", "quantity", "then", "now", "relative difference"),
        rows=tuple(_rows(differences)),
        exit_status=int(finding.fails),
        notes=tuple(notes),
    )


def _rows(differences: FingerprintDifferences) -> Iterator[tuple[Any, ...]]:
    before = 0
    for phase in differences.phases:
        steps = len(differences.ours[f"{phase}/loss"][0])
        for step in _shown_steps(differences, phase, before, steps):
            for name, label in _QUANTITIES:
                then, now = (
                    _value(side, f"{phase}/{name}", step)
                    for side in (differences.theirs, differences.ours)
                )
                if then is not None and now is not None:
                    yield phase, before + step + 1, label, then, now, _difference(then, now)
        before += steps


def _shown_steps(
    differences: FingerprintDifferences, phase: str, before: int, steps: int
) -> Sequence[int]:
    """Return the steps of a phase to show: around the first difference, the first and the last."""
    first = differences.first
    shown = {0, steps - 1}
    if first and first.step and first.phase == phase:
        at = first.step - 1 - before
        shown |= set(range(at - STEPS_AROUND, at + STEPS_AROUND + 1))
    return sorted(step for step in shown if 0 <= step < steps)


def _value(arrays: Arrays, name: str, step: int) -> float | None:
    """Return the value of the first lane at a step; for a fingerprint, its norm."""
    values: NDArray[np.float64] | None = arrays.get(name)
    if values is None or step >= values.shape[1]:
        return None
    at = values[0, step]
    return float(at if np.ndim(at) == 0 else at[0])


def _difference(then: float, now: float) -> float:
    return 0.0 if then == now else abs(now - then) / abs(then) if then else float("inf")


def _errors(differences: FingerprintDifferences) -> str:
    errors = differences.comparison.errors.items()
    listed = ", ".join(f"{check} {error:.1e}" for check, error in errors)
    return f"errors by check, over all lanes: {listed}"
