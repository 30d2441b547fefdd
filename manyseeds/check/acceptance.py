"""An acceptance: new measurements replace the entries of the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.layer_measurement import MeasureLayer, announce
from manyseeds.check.rows import Layer, Row, RowPattern
from manyseeds.check.scope import GateScope
from manyseeds.errors import RequestError, unknown


@dataclass(frozen=True)
class Acceptance:
    """The rows that an acceptance changed.

    Attributes
    ----------
    rows, dropped
        Rows that were added or replaced, and rows that were dropped.
    failed
        Why rows could not be measured: their old entries stay.
    """

    rows: tuple[Row, ...]
    dropped: tuple[Row, ...]
    failed: Mapping[Row, str]


def accept(
    scope: GateScope,
    baseline: Baseline,
    layers: Mapping[Layer, MeasureLayer],
    because: str,
    patterns: Sequence[RowPattern] = (),
) -> Acceptance:
    """Measure thoroughly and accept the result into the baseline.

    Parameters
    ----------
    patterns
        Names of rows, of entries or of the findings about them: accept only these. Without any,
        rows of the baseline that are in this scope and were not measured now are dropped.

    Raises
    ------
    RequestError
        No reason is given, or nothing matches a pattern; then nothing is accepted.
    """
    if not because.strip():
        raise RequestError('give a reason: manyseeds baseline --accept --because "…"')
    entries: list[BaselineEntry] = []
    for part in _parts(scope, patterns):
        (layer,) = part.layers
        announce(layer, part)
        entries += layers[layer](replace(part, thorough=True)).entries
    for pattern in patterns:
        if not any(_matches(pattern, entry) for entry in entries):
            known = [entry.row for entry in entries] or _rows_in(scope, baseline)
            raise RequestError(unknown("row", pattern.text, map(str, known)))
    chosen = [
        entry
        for entry in entries
        if not patterns or any(_matches(pattern, entry) for pattern in patterns)
    ]
    failed = {entry.row: str(entry.context["failed"]) for entry in chosen if _failed(entry)}
    measured = [entry for entry in chosen if not _failed(entry)]
    dropped = () if patterns else tuple(_dropped(scope, baseline, entries))
    baseline.accept(measured, because, dropped)
    return Acceptance(tuple(entry.row for entry in measured), dropped, failed)


def _parts(scope: GateScope, patterns: Sequence[RowPattern]) -> Iterator[GateScope]:
    """Yield a scope for each layer, with the backends that some pattern could match."""
    for layer in scope.layers:
        backends = [
            backend
            for backend in scope.backends
            if not patterns or any(pattern.may_match(layer, backend) for pattern in patterns)
        ]
        if backends:
            yield replace(scope, layers=(layer,), backends=tuple(backends))


def _failed(entry: BaselineEntry) -> bool:
    return "failed" in entry.context


def _matches(pattern: RowPattern, entry: BaselineEntry) -> bool:
    """Return whether a pattern matches an entry, or one of the quantities in it."""
    quantities = (*entry.arrays, "diverged")
    return any(
        pattern.matches(row) for row in (entry.row, *(entry.row.part(name) for name in quantities))
    )


def _rows_in(scope: GateScope, baseline: Baseline) -> list[Row]:
    return [row for layer in scope.layers for row in baseline.rows(layer)]


def _dropped(
    scope: GateScope, baseline: Baseline, entries: Sequence[BaselineEntry]
) -> Iterator[Row]:
    """Yield the baseline's rows in this scope that were not measured now."""
    measured = {entry.row for entry in entries}
    for layer in scope.layers:
        if layer == "accuracy" and scope.suites:
            continue  # the rows of other suites are not in this scope
        for backend in scope.backends:
            yield from (row for row in baseline.rows(layer, backend) if row not in measured)
