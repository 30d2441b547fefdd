"""The interface between the gate and its layers: measure now, compare later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.findings import LayerResult
from manyseeds.check.rows import Layer, Row
from manyseeds.check.scope import GateScope
from manyseeds.presentation.terminal import styled, terminal


@dataclass(frozen=True)
class LayerMeasurement:
    """The measurements of a layer, and a function that compares them with a baseline.

    Attributes
    ----------
    entries
        Whole measurements only: what a baseline may hold.
    compare
        Its second argument has the results of the layers before, whose findings may explain those
        of this layer.
    failures
        Why rows could not be measured. A row that a backend does not support is not among them.
    """

    entries: tuple[BaselineEntry, ...]
    compare: Callable[[Baseline, Sequence[LayerResult]], LayerResult]
    failures: Mapping[Row, str] = field(default_factory=dict)


MeasureLayer = Callable[[GateScope], LayerMeasurement]


def announce(layer: Layer, scope: GateScope) -> None:
    """Print on standard error that a layer is being measured, and on which backends."""
    terminal(errors=True).print(styled((layer, "bold"), f": {', '.join(scope.backends)}"))
