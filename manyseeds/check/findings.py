"""Findings: the result of every comparison that a layer of the gate makes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from manyseeds.check.rows import Layer, Row

FindingState = Literal["changed", "missing", "not comparable", "cannot tell", "unchanged"]
STATES: tuple[FindingState, ...] = get_args(FindingState)
"""Worst first.

"changed": certainly beyond the tolerance or the least effect; "missing": the baseline has no entry,
or what it has was not measured now; "not comparable": measured under other conditions; "cannot
tell": too few samples for the stated power; "unchanged".
"""

Direction = Literal["worse", "better", ""]


@dataclass(frozen=True)
class Finding:
    """The result of one comparison.

    Attributes
    ----------
    row
        The name of what was compared, as in tables, `--explain` and `acknowledged.toml`.
    state, direction
        The result; "worse" and "better" are both changes.
    size, low, high
        The change and its interval, in `unit`; NaN if there is none.
    unit
        "relative error", "share", "ratio", …
    least_effect
        The least change that counts, in `unit`; of a ratio, how far beyond 1 it or its inverse must
        lie. NaN if there is none.
    message
        One line for a person: what differs, which condition, how many samples are needed.
    reason
        The likely cause, if one is known; else "".
    then, now
        Versions of the packages on both sides.
    fails
        Whether the finding fails the check. A baseline made for another question does, like a
        missing one; a baseline from another machine does not.
    acknowledged
        Why the finding is accepted for now, from `results/acknowledged.toml`; None if it is not.
    """

    row: Row
    state: FindingState
    direction: Direction = ""
    size: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    least_effect: float = math.nan
    message: str = ""
    reason: str = ""
    then: Mapping[str, str] = field(default_factory=dict)
    now: Mapping[str, str] = field(default_factory=dict)
    fails: bool = False
    acknowledged: str | None = None

    @property
    def layer(self) -> Layer:
        """The layer of the row."""
        return self.row.layer

    @property
    def backend(self) -> str:
        """The backend of the row."""
        return self.row.backend

    @property
    def subject(self) -> str:
        """The subject of the row."""
        return self.row.subject


@dataclass(frozen=True)
class LayerResult:
    """The findings of one layer.

    Attributes
    ----------
    comparisons
        How many comparisons were corrected for together.
    seconds
        How long the layer took.
    notes
        Remarks about the layer as a whole, a line each.
    """

    layer: Layer
    findings: tuple[Finding, ...]
    comparisons: int
    seconds: float
    notes: tuple[str, ...] = ()
