"""An acceptance: new measurements replace the entries of the baseline."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.layer_measurement import MeasureLayer, announce
from manyseeds.check.package_versions import PackageVersions, versions_by_backend
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
    versions
        The versions that the accepted rows were measured with, by backend.
    """

    rows: tuple[Row, ...]
    dropped: tuple[Row, ...]
    failed: Mapping[Row, str]
    versions: Mapping[str, PackageVersions]


def accept(
    scope: GateScope,
    baseline: Baseline,
    layers: Mapping[Layer, MeasureLayer],
    because: str,
    patterns: Sequence[RowPattern] = (),
) -> Acceptance:
    """Measure thoroughly and accept the result into the baseline.

    A row that could not be measured keeps its old entry. If none could be, the baseline and its log
    stay as they are.

    Parameters
    ----------
    patterns
        Names of rows, of entries or of the findings about them: accept only these. Without any,
        rows of the baseline that are in this scope and no longer exist are dropped.

    Raises
    ------
    RequestError
        No reason is given, or nothing matches a pattern; then nothing is accepted.
    """
    if not because.strip():
        raise RequestError('give a reason: manyseeds baseline --accept --because "…"')
    entries, failures = _measured(scope, layers, patterns)
    tried = [entry.row for entry in entries] + list(failures)
    # The quantities of a row that could not be measured are those of its old entry.
    olds = [baseline.entry(row) or BaselineEntry(row, {}, {}) for row in failures if patterns]
    for pattern in patterns:
        if not any(_matches(pattern, entry) for entry in (*entries, *olds)):
            names = tried or _rows_in(scope, baseline)
            raise RequestError(unknown("row", pattern.text, map(str, names)))
    chosen = _chosen(entries, patterns)
    failed = {entry.row for entry in _chosen(olds, patterns)} if patterns else {*failures}
    dropped = () if patterns else tuple(_dropped(scope, baseline, tried))
    if chosen or dropped:
        baseline.accept(chosen, because, dropped)
    return Acceptance(
        rows=tuple(entry.row for entry in chosen),
        dropped=dropped,
        failed={row: why for row, why in failures.items() if row in failed},
        versions=versions_by_backend(chosen),
    )


def _measured(
    scope: GateScope, layers: Mapping[Layer, MeasureLayer], patterns: Sequence[RowPattern]
) -> tuple[list[BaselineEntry], dict[Row, str]]:
    """Measure thoroughly; return the entries, and why other rows could not be measured."""
    entries: list[BaselineEntry] = []
    failures: dict[Row, str] = {}
    for part in _parts(scope, patterns):
        (layer,) = part.layers
        announce(layer, part)
        measurement = layers[layer](replace(part, thorough=True))
        entries += measurement.entries
        failures |= measurement.failures
    return entries, failures


def _chosen(
    entries: Sequence[BaselineEntry], patterns: Sequence[RowPattern]
) -> list[BaselineEntry]:
    """Return the entries that some pattern matches; without patterns all."""
    return [entry for entry in entries if not patterns or any(_matches(p, entry) for p in patterns)]


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


def _matches(pattern: RowPattern, entry: BaselineEntry) -> bool:
    """Return whether a pattern matches an entry, or one of the quantities in it."""
    quantities = (*entry.arrays, "diverged")
    return any(
        pattern.matches(row) for row in (entry.row, *(entry.row.part(name) for name in quantities))
    )


def _rows_in(scope: GateScope, baseline: Baseline) -> list[Row]:
    return [row for layer in scope.layers for row in baseline.rows(layer)]


def _dropped(scope: GateScope, baseline: Baseline, tried: Collection[Row]) -> Iterator[Row]:
    """Yield the baseline's rows in this scope that nobody tried to measure now."""
    for layer in scope.layers:
        if layer == "accuracy" and scope.suites:
            continue  # the rows of other suites are not in this scope
        for backend in scope.backends:
            yield from (row for row in baseline.rows(layer, backend) if row not in tried)
