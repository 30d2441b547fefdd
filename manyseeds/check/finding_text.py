"""The cells of a finding's row in a table, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from manyseeds.check.findings import Finding


def state(finding: Finding) -> str:
    """Return the state with its direction: "changed (worse)"."""
    return f"{finding.state} ({finding.direction})" if finding.direction else finding.state


def size(finding: Finding) -> str:
    """Return the size of the change in its unit; "" if there is none."""
    return "" if math.isnan(finding.size) else _amount(finding.size, finding.unit)


def interval(finding: Finding) -> str:
    """Return the interval of the change in its unit; "" if there is none."""
    if math.isnan(finding.low) or math.isnan(finding.high):
        return ""
    return f"{_amount(finding.low, finding.unit)} … {_amount(finding.high, finding.unit)}"


def _amount(value: float, unit: str) -> str:
    match unit:
        case "ratio":
            return f"×{value:.3f}"
        case "share":
            return f"{100 * value:+.2f} points"
        case "relative error":
            return f"{value:.1e}"
        case _:
            return f"{value:+.4g} {unit}".strip()


def versions(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return the packages whose versions differ: "keras 3.14.0 → 3.15.1".

    "" if one side has no versions because nothing ran there.
    """
    if not then or not now:
        return ""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return ", ".join(f"{n} {then.get(n, 'none')} → {now.get(n, 'none')}" for n in names)


def explanation(finding: Finding) -> str:
    """Return the difference, its likely cause, and why it is accepted."""
    reason = f"likely: {finding.reason}" if finding.reason else ""
    known = f"acknowledged: {finding.acknowledged}" if finding.acknowledged else ""
    return "; ".join(filter(None, [finding.message, reason, known]))
