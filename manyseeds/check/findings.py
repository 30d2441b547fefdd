"""What a layer of the gate finds: a row for everything it compared, and its state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Layer = Literal["numerics", "accuracy", "time"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
"""Cheapest first."""

State = Literal["changed", "missing", "not comparable", "cannot tell", "unchanged"]
STATES: tuple[State, ...] = get_args(State)
"""Worst first.

"changed": beyond the tolerance or the least effect, and sure of it; "missing": the baseline has no
entry, or what it has was not delivered now; "not comparable": made under other conditions;
"cannot tell": too few samples for the stated power; "unchanged".
"""

Direction = Literal["worse", "better", ""]

FAILING: frozenset[State] = frozenset({"changed", "missing"})
"""States that fail a check by themselves; see `Finding.fails`."""


@dataclass(frozen=True)
class Finding:
    """One comparison.

    Attributes
    ----------
    layer, backend, subject
        What was compared: a recipe of the parity kit, "SUITE/RECIPE/metric", "adam step".
    state, direction
        What was found; "worse" and "better" are both changes.
    size, low, high
        The change and its interval, in `unit`; NaN where there is none.
    unit
        "relative error", "share", "ratio", …
    told
        One line for a person: what differs, which condition, how many samples are needed.
    reason
        Likely cause, where a known one matches; else "".
    then, now
        Versions of what was compared, by package.
    fails
        Whether the check fails by it: a baseline made for another question fails as a missing one
        does, one from another machine does not.
    acknowledged
        Why it is accepted for now, from `results/acknowledged.toml`; None if it is not.
    """

    layer: Layer
    backend: str
    subject: str
    state: State
    direction: Direction = ""
    size: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    told: str = ""
    reason: str = ""
    then: Mapping[str, str] = field(default_factory=dict)
    now: Mapping[str, str] = field(default_factory=dict)
    fails: bool = False
    acknowledged: str | None = None

    @property
    def row(self) -> str:
        """Its name in tables, `--explain` and `acknowledged.toml`: "numerics/jax/nadam"."""
        return f"{self.layer}/{self.backend}/{self.subject}"


@dataclass(frozen=True)
class LayerResult:
    """A layer's findings.

    Attributes
    ----------
    comparisons
        How many were corrected for together.
    seconds
        What the layer took.
    notes
        What else has to be said, a line each.
    """

    layer: Layer
    findings: tuple[Finding, ...]
    comparisons: int
    seconds: float
    notes: tuple[str, ...] = ()
