"""The runs of a suite with their settings, and the provenance of those that a page shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyseeds.ledger.versions import mixed
from manyseeds.presentation.wording import backend_name
from manyseeds.report.reported_suites import ReportedSuite, SuiteRun

_HASH = 12
"""Digits of a hash that are shown."""


@dataclass(frozen=True)
class RunView:
    """A line in the list of runs."""

    run: str
    used: bool
    form: str
    suite_sha256: str
    settings: str
    promised: str
    ok: str
    differences: tuple[str, ...]
    """Differences from the run that the page shows, and versions that are mixed in the run."""


def run_views(reported: ReportedSuite) -> tuple[RunView, ...]:
    """Return every run of the suite, by name."""
    return tuple(_view(run) for run in reported.runs)


def provenance(reported: ReportedSuite) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return the provenance of the runs that the page shows; everything recorded is shown."""
    return {
        run.plan.run: [_shown(session) for session in run.provenance]
        for run in reported.runs
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
        differences=(*run.differences, *_mixed_versions(run)),
    )


def _mixed_versions(run: SuiteRun) -> Iterator[str]:
    """Yield, by backend, the versions of a run that was resumed under others, as was asked for."""
    for backend, versions in run.versions.items():
        if several := mixed(versions):
            listed = "; ".join(f"{name} {version}" for name, version in several.items())
            yield (
                f"resumed under other versions: its rows in {backend_name(backend)} were trained "
                f"with {listed}"
            )


def _shown(value: Any) -> Any:
    """Turn a JSON value into dictionaries and texts that a template can show."""
    if isinstance(value, Mapping):
        return {str(key): _shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if all(not isinstance(item, Mapping | list) for item in value):
            return ", ".join(_shown(item) for item in value)
        return {str(number): _shown(item) for number, item in enumerate(value, start=1)}
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
