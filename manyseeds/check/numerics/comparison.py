"""The numerics layer, which finds recipes that no longer follow the baseline's trajectory.

Every recipe on every backend is compared with its fingerprints in the baseline, and the backends
with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from time import perf_counter

from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.numerics.backend_agreement import with_agreement
from manyseeds.check.numerics.differences import FingerprintDifferences, differences_between
from manyseeds.check.numerics.measurement import NumericsMeasurement
from manyseeds.check.rows import Row
from manyseeds.conformance.comparison import TOLERANCE
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.presentation.wording import flags_left_out

_QUESTION = ("format", "recipe", "steps", "lanes")
"""Keys of the context that must be the same for two entries to be comparable."""


def compare(now: NumericsMeasurement, baseline: Baseline) -> LayerResult:
    """Compare trajectories with the baseline's, and the backends' with each other.

    There is a finding for every recipe and backend, "unchanged" up to `TOLERANCE`. It has the
    likely reasons that need no further training; `reasons.with_reasons` looks for more.
    """
    started = perf_counter()
    findings = {row: _compared(entry, baseline) for row, entry in now.by_row.items()}
    findings |= {
        row: _not_followed(row, reason, now, baseline) for row, reason in now.failures.items()
    }
    findings |= {
        row: _not_followed(row, f"unsupported: {reason}", now, baseline)
        for row, reason in now.unsupported.items()
        if baseline.entry(row)
    }
    findings = with_agreement(findings, now)
    return LayerResult(
        layer="numerics",
        findings=(*findings.values(), *_gone(now, baseline)),
        comparisons=len(findings),
        seconds=now.seconds + perf_counter() - started,
        notes=tuple(_notes(now, findings)),
    )


def _compared(entry: BaselineEntry, baseline: Baseline) -> Finding:
    """Return the finding about an entry, from the baseline alone."""
    then = baseline.entry(entry.row)
    finding = Finding(
        row=entry.row,
        state="unchanged",
        unit="relative error",
        least_effect=TOLERANCE,
        then=then.versions if then else {},
        now=entry.versions,
    )
    if then is None:
        message = "the baseline has no entry for it"
        return replace(finding, state="missing", message=message, fails=True)
    if question := _different_question(entry, then):
        return replace(finding, state="not comparable", message=question, fails=True)
    differences = differences_between(entry, then)
    if differences.comparison.same:
        message = f"follows the baseline to {differences.error:.1e}"
        return replace(finding, size=differences.error, message=message)
    return replace(
        finding,
        state="changed",
        size=differences.error,
        message=_message(differences),
        fails=True,
    )


def _message(differences: FingerprintDifferences) -> str:
    if differences.unmatched:
        names = ", ".join(differences.unmatched[:4])
        return f"it has different tensors: {names} on one side only"
    errors = differences.comparison.errors
    worst = max(errors, key=lambda check: errors[check])
    first = differences.first
    where = first.message if first else "no single step differs by more than rounding"
    return f"{where}; largest in the {worst}: {differences.error:.1e}"


def _different_question(now: BaselineEntry, then: BaselineEntry) -> str:
    """Return how the questions of two entries differ, in words; "" if they are the same."""

    def change(key: str) -> str:
        if key == "recipe":
            return "a different recipe of this name"
        return f"{key} {then.context.get(key)} then, {now.context.get(key)} now"

    different = [key for key in _QUESTION if now.context.get(key) != then.context.get(key)]
    if not different:
        return ""
    return f"the baseline was made for another question: {'; '.join(map(change, different))}"


def _not_followed(row: Row, reason: str, now: NumericsMeasurement, baseline: Baseline) -> Finding:
    """Return the finding about a recipe that could not be followed.

    Its versions are those of another recipe on the same backend.
    """
    then = baseline.entry(row)
    versions = (entry.versions for entry in now.entries if entry.backend == row.backend)
    return Finding(
        row,
        "missing",
        message=f"{row.backend} cannot follow it now: {reason}",
        then=then.versions if then else {},
        now=next(versions, {}),
        fails=True,
    )


def _gone(now: NumericsMeasurement, baseline: Baseline) -> Iterator[Finding]:
    """Yield a finding for every recipe of the baseline that the parity kit no longer has."""
    kit = parity_recipes()
    for backend in now.backends if now.whole else ():
        for row in baseline.rows("numerics", backend):
            if row.subject not in kit:
                then = baseline.entry(row)
                yield Finding(
                    row,
                    "missing",
                    message="the baseline has this recipe, but the parity kit no longer does",
                    then=then.versions if then else {},
                    fails=True,
                )


def _notes(now: NumericsMeasurement, findings: Mapping[Row, Finding]) -> Iterator[str]:
    unchanged = [f.size for f in findings.values() if f.state == "unchanged"]
    largest = ""
    if unchanged:
        largest = f"; the largest error among unchanged rows is {max(unchanged):.1e}"
    yield f"{len(now.entries)} trajectories in float64, tolerance {TOLERANCE:g}{largest}"
    kit = len(parity_recipes())
    if now.whole and len(now.recipes) < kit:
        yield (
            f"{len(now.recipes)} of {kit} recipes, which cover every technique and setting: "
            "--thorough follows all"
        )
    for backend in now.backends:
        own = (
            entry.context.get("flags_left_out") for entry in now.entries if entry.backend == backend
        )
        if flags := next(filter(None, own), None):
            yield f"{backend}: {flags_left_out(flags)}"
    for row, reason in now.unsupported.items():
        yield f"{row.backend} does not support {row.subject}: {reason}"
