"""Compares the backends with each other as they are now, beside the comparison with the baseline.

If all backends have changed alike, the cause is in the harness. A backend that now disagrees with
the others is to blame even if it still follows the baseline.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from manyseeds.check.findings import Finding
from manyseeds.check.numerics.differences import differences_between
from manyseeds.check.numerics.measurement import NumericsMeasurement, row_of
from manyseeds.check.rows import Row
from manyseeds.conformance.comparison import TOLERANCE
from manyseeds.conformance.deviations import deviations
from manyseeds.conformance.matrix import BackendPair, is_allowed

CHANGED_ALIKE = (
    "all backends changed in the same way and still agree with each other: the cause is in the "
    "harness, not in a framework"
)


def with_agreement(findings: Mapping[Row, Finding], now: NumericsMeasurement) -> dict[Row, Finding]:
    """Return the findings, with the results of comparing the backends with each other."""
    disagreeing = [pair for pair in pairs_of_backends(now) if not pair.fine]
    return _with_disagreements(_changed_alike(findings, now, disagreeing), disagreeing)


def pairs_of_backends(now: NumericsMeasurement) -> Iterator[BackendPair]:
    """Yield the comparison of every two backends on every recipe that both have followed."""
    known = deviations()
    for name, recipe in now.recipes.items():
        able = [backend for backend in now.backends if row_of(backend, name) in now.by_row]
        for ours, theirs in itertools.combinations(able, 2):
            first, second = (now.by_row[row_of(backend, name)] for backend in (ours, theirs))
            comparison = differences_between(first, second).comparison
            allowed = is_allowed(comparison, recipe, (ours, theirs), known)
            yield BackendPair(name, ours, theirs, comparison, allowed)


def _changed_alike(
    findings: Mapping[Row, Finding],
    now: NumericsMeasurement,
    disagreeing: Sequence[BackendPair],
) -> dict[Row, Finding]:
    """Add the reason to the findings about recipes that changed on all backends alike."""
    disputed = {pair.recipe for pair in disagreeing}
    explained = dict(findings)
    for name in now.recipes:
        rows = [row for row in findings if row.subject == name]
        alike = all(findings[row].state == "changed" for row in rows)
        if len(rows) > 1 and name not in disputed and alike:
            for row in rows:
                explained[row] = replace(explained[row], reason=CHANGED_ALIKE)
    return explained


def _with_disagreements(
    findings: Mapping[Row, Finding], disagreeing: Sequence[BackendPair]
) -> dict[Row, Finding]:
    """Add the disagreements to the findings about the backends to blame; mark these changed."""
    marked = dict(findings)
    for name in dict.fromkeys(pair.recipe for pair in disagreeing):
        pairs = [pair for pair in disagreeing if pair.recipe == name]
        for backend in _to_blame(findings, pairs):
            own = [pair for pair in pairs if backend in (pair.ours, pair.theirs)]
            finding = findings[row_of(backend, name)]
            disagreements = "; ".join(_disagreement(pair, backend) for pair in own)
            finding = replace(finding, message=f"{finding.message}; {disagreements}")
            if finding.state == "unchanged":
                size = max(pair.comparison.error for pair in own)
                finding = replace(finding, state="changed", size=size, fails=True)
            marked[finding.row] = finding
    return marked


def _to_blame(findings: Mapping[Row, Finding], pairs: Sequence[BackendPair]) -> list[str]:
    """Return the backends that changed, or else those that disagree with the most others."""
    counts = Counter(backend for pair in pairs for backend in (pair.ours, pair.theirs))
    name = pairs[0].recipe
    changed = [b for b in counts if findings[row_of(b, name)].state == "changed"]
    most = max(counts.values())
    return changed or [backend for backend, count in counts.items() if count == most]


def _disagreement(pair: BackendPair, backend: str) -> str:
    other = pair.theirs if backend == pair.ours else pair.ours
    errors = pair.comparison.errors
    first = next(check for check, error in errors.items() if error > TOLERANCE)
    return f"disagrees with {other} now: {pair.comparison.error:.1e}, first in the {first}"
