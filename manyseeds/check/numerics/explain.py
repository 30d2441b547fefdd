"""Explains a row of the numerics layer: the trajectory then and now, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.settings import Device
from manyseeds.check.findings import Finding
from manyseeds.check.numerics.layer import compare, differences, measure
from manyseeds.check.numerics.parting import Differences
from manyseeds.check.numerics.reasons import with_reasons
from manyseeds.check.store import Baseline, Entry
from manyseeds.errors import RequestError, unknown
from manyseeds.presentation.command_result import Outcome

AROUND = 3
"""Steps shown on either side of the one at which the trajectories part."""

_QUANTITIES = (
    ("loss", "loss"),
    ("penalty", "penalty"),
    ("gradient", "gradient, norm"),
    ("moved", "weights after, norm"),
    ("averages", "moving averages after, norm"),
    ("asked/rate", "rate"),
    ("asked/momentum", "momentum"),
)


def explain(row: str, baseline: Baseline, *, device: Device = "cpu") -> Outcome:
    """Follow a row's recipe again and set it beside the baseline, with the likely reason.

    Parameters
    ----------
    row
        As `Finding.row`: "numerics/jax/elu_nadam".
    baseline
        Which has an entry of it.
    device
        Where the backend computes.

    Raises
    ------
    RequestError
        The row names no backend or recipe, or the baseline has no entry of it.
    """
    layer, backend, subject = [*row.split("/", 2), "", ""][:3]
    then = baseline.entry("numerics", backend, subject) if layer == "numerics" else None
    if then is None:
        raise RequestError(unknown("row", row, baseline.rows("numerics")))
    now = measure([backend], [subject], device=device)
    result = with_reasons(compare(now, baseline), now, baseline, most=1, device=device)
    (finding,) = result.findings
    entry = now.by_row.get((backend, subject))
    if entry is None or finding.state == "not comparable":
        return Outcome(row, ("finding",), ((finding.told,),), 1)
    return side_by_side(finding, entry, then)


def side_by_side(finding: Finding, now: Entry, then: Entry) -> Outcome:
    """Return both trajectories of the first lane around where they part, as a table."""
    found = differences(now, then)
    columns = ("phase", "step", "quantity", "then", "now", "relative difference")
    rows = tuple(_rows(found))
    notes = [finding.told]
    if finding.reason:
        notes.append(f"likely reason: {finding.reason}")
    notes += _versions(now, then)
    notes.append(_errors(found))
    return Outcome(finding.row, columns, rows, int(finding.fails), tuple(notes))


def _rows(found: Differences) -> Iterator[tuple[Any, ...]]:
    before = 0
    for phase in found.phases:
        steps = len(found.ours[f"{phase}/loss"][0])
        for step in _shown(found, phase, before, steps):
            for name, told in _QUANTITIES:
                pair = [_value(side, f"{phase}/{name}", step) for side in _sides(found)]
                if None not in pair:
                    then, now = pair
                    yield phase, before + step + 1, told, then, now, _difference(then, now)
        before += steps


def _sides(found: Differences) -> tuple[Any, Any]:
    return found.theirs, found.ours


def _shown(found: Differences, phase: str, before: int, steps: int) -> Sequence[int]:
    """Return the steps of a phase to show: around the parting, the first and the last."""
    parting = found.parting
    shown = {0, steps - 1}
    if parting and parting.step and parting.phase == phase:
        at = parting.step - 1 - before
        shown |= set(range(at - AROUND, at + AROUND + 1))
    return sorted(step for step in shown if 0 <= step < steps)


def _value(arrays: Any, name: str, step: int) -> float | None:
    """Return what the first lane has at a step; of a fingerprint the norm."""
    values: NDArray[np.float64] | None = arrays.get(name)
    if values is None or step >= values.shape[1]:
        return None
    at = values[0, step]
    return float(at if np.ndim(at) == 0 else at[0])


def _difference(then: Any, now: Any) -> float:
    return 0.0 if then == now else abs(now - then) / abs(then) if then else float("inf")


def _versions(now: Entry, then: Entry) -> Iterator[str]:
    packages = sorted({*now.versions, *then.versions})
    other = [
        f"{name} {then.versions.get(name, 'absent')} → {now.versions.get(name, 'absent')}"
        for name in packages
        if now.versions.get(name) != then.versions.get(name)
    ]
    yield f"versions: {', '.join(other) or 'the same'}"


def _errors(found: Differences) -> str:
    said = ", ".join(f"{check} {error:.1e}" for check, error in found.comparison.errors.items())
    return f"errors by check, over all lanes: {said}"
