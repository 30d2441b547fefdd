"""Where the numbers come from: the runs of the suite and what they ran on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyseeds.report.reported_suites import ReportedSuite, SuiteRun

_HASH = 12


@dataclass(frozen=True)
class RunView:
    """A line of the list of runs."""

    run: str
    used: bool
    form: str
    suite_sha256: str
    settings: str
    promised: str
    ok: str
    differences: tuple[str, ...]


def run_views(subject: ReportedSuite) -> tuple[RunView, ...]:
    """Return every run of the suite, by name."""
    return tuple(_view(run) for run in subject.runs)


def provenance(subject: ReportedSuite) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return what the runs the page is about ran on; whatever a session recorded is shown."""
    return {
        run.plan.run: [_shown(session) for session in run.provenance]
        for run in subject.runs
        if run.used
    }


def _view(run: SuiteRun) -> RunView:
    plan = run.plan
    threads = "all threads"
    if plan.threads is not None:
        threads = f"{plan.threads} thread{'s' if plan.threads > 1 else ''}"
    parts = [plan.device, plan.precision, threads]
    parts += [] if plan.deterministic else ["not deterministic"]
    parts += ["TF32"] if plan.tf32 else []
    parts += [f"{plan.beside} backends at once"] if plan.beside > 1 else []
    return RunView(
        run=plan.run,
        used=run.used,
        form="quick" if plan.quick else "full",
        suite_sha256=plan.suite_sha256[:_HASH],
        settings=", ".join(parts),
        promised=f"{len(run.records):,}",
        ok=f"{(run.records['status'] == 'ok').sum():,}",
        differences=run.differences,
    )


def _shown(value: Any) -> Any:
    """Turn a JSON value into mappings, lists and texts that a template can show."""
    if isinstance(value, Mapping):
        return {str(key): _shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if all(not isinstance(item, Mapping | list) for item in value):
            return ", ".join(_shown(item) for item in value)
        return {str(number): _shown(item) for number, item in enumerate(value, start=1)}
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
