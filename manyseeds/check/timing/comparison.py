"""The time layer: which workloads are faster or slower than in the baseline.

`measurement` measures the entries, `time_comparison` compares one subject, and this module judges
all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter

from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.rows import Row
from manyseeds.check.step_down import step_down
from manyseeds.check.timing.time_comparison import FLOOR, TimeComparison
from manyseeds.statistics.family import level_among


def compare(
    now: Sequence[BaselineEntry], baseline: Baseline, *, floor: float = FLOOR
) -> LayerResult:
    """Compare entries with those of the baseline.

    A ratio has changed if its whole interval lies beyond the floor, in either direction, and is
    unchanged if it lies within. All comparisons are judged together, by Holm's step-down.

    Parameters
    ----------
    now
        From `measure`. Rows of the baseline that these backends have and that are not among them
        are missing.
    floor
        The least ratio that counts is 1 + floor, or its inverse; `WIDER` has the subjects with a
        larger floor.

    Raises
    ------
    RunError
        Samples are not numbers above 0.
    """
    started = perf_counter()
    findings: dict[Row, Finding] = {}
    comparisons: dict[Row, TimeComparison] = {}
    for entry in now:
        then = baseline.entry(entry.row)
        if message := _why_missing(entry, then):
            findings[entry.row] = _missing(entry, then, message)
        elif then is not None:
            comparisons[entry.row] = TimeComparison.of(entry, then, floor)
    findings |= _not_measured(now, baseline)
    comparable = {row: pair for row, pair in comparisons.items() if not pair.differing}
    findings |= {row: pair.not_comparable() for row, pair in comparisons.items() if pair.differing}
    findings |= _judged(comparable)
    order = [entry.row for entry in now]
    order += [row for row in findings if row not in order]
    return LayerResult(
        "time",
        tuple(findings[row] for row in order),
        comparisons=len(comparable),
        seconds=perf_counter() - started,
        notes=_notes(comparisons.values()),
    )


def _judged(comparisons: Mapping[Row, TimeComparison]) -> dict[Row, Finding]:
    return step_down(
        list(comparisons),
        lambda rows, level: {row: comparisons[row].judge(level) for row in rows},
        level_among=level_among,
        settled=lambda finding: finding.state != "cannot tell",
    )


def _notes(comparisons: Iterable[TimeComparison]) -> tuple[str, ...]:
    """Return the remedy for rows that were timed under other conditions, if there are any."""
    elsewhere = sum(comparison.elsewhere for comparison in comparisons)
    if not elsewhere:
        return ()
    remedy = '`manyseeds baseline --accept --layer time --because "another machine"`'
    return (f"{elsewhere} rows have a baseline from another set-up; make one here: {remedy}",)


def _why_missing(now: BaselineEntry, then: BaselineEntry | None) -> str:
    if "failed" in now.context:
        return f"could not be measured: {now.context['failed']}"
    if then is None:
        return "the baseline has no entry: accept one"
    if "failed" in then.context:
        return f"could not be measured for the baseline: {then.context['failed']}"
    return ""


def _missing(now: BaselineEntry, then: BaselineEntry | None, message: str) -> Finding:
    versions = then.versions if then else {}
    return Finding(now.row, "missing", message=message, then=versions, now=now.versions, fails=True)


def _not_measured(now: Sequence[BaselineEntry], baseline: Baseline) -> dict[Row, Finding]:
    """Return findings about rows of the baseline that were not measured on these backends."""
    measured = {entry.row for entry in now}
    findings = {}
    for backend in sorted({entry.backend for entry in now}):
        for row in baseline.rows("time", backend):
            if row not in measured:
                then = baseline.entry(row)
                findings[row] = Finding(
                    row,
                    "missing",
                    message="the baseline has this row; it was not measured now",
                    then=then.versions if then else {},
                    fails=True,
                )
    return findings
