"""The work of `manyseeds check`, `baseline` and `compare`, as functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from manyseeds.check.acceptance import Acceptance, accept
from manyseeds.check.accuracy.comparison import compare_runs
from manyseeds.check.acknowledgements import read_acknowledgements
from manyseeds.check.baseline import Baseline
from manyseeds.check.checking import PassRules, check
from manyseeds.check.layers import MEASURE_LAYER
from manyseeds.check.numerics.side_by_side import explain
from manyseeds.check.package_versions import merged, text_of
from manyseeds.check.report import CheckReport
from manyseeds.check.rows import LAYERS, Row, RowPattern
from manyseeds.check.scope import CheckRequest, scope_of
from manyseeds.errors import RequestError, explained
from manyseeds.ledger.runs import open_run
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.report_files import write_report_files
from manyseeds.processes.calls import called


def check_baseline(
    request: CheckRequest, acknowledged: Path, *, strict: bool = False
) -> CheckReport:
    """Compare the installed versions with the baseline.

    Parameters
    ----------
    acknowledged
        The file of acknowledged differences.
    strict
        Whether "cannot tell" fails.
    """
    rules = PassRules(read_acknowledgements(acknowledged), strict=strict)
    baseline = Baseline(request.baseline)
    return check(scope_of(request, baseline), baseline, MEASURE_LAYER, rules)


def explain_row(request: CheckRequest, name: str) -> Outcome:
    """Follow one recipe of the numerics anew and show it beside the baseline's trajectory."""
    try:
        row = Row.parse(name)
    except ValueError:
        row = None
    if row is None or row.layer != "numerics":
        raise RequestError(
            f"--explain {name}: expected a row of the numerics layer, numerics/BACKEND/RECIPE; the "
            "table explains the rows of other layers"
        )
    return explain(row, Baseline(request.baseline))


def accept_baseline(request: CheckRequest, because: str, rows: Sequence[str] = ()) -> Outcome:
    """Replace rows of the baseline, all or those that match, by new measurements."""
    baseline = Baseline(request.baseline)
    patterns = [RowPattern(text) for text in rows]
    acceptance = accept(scope_of(request, baseline), baseline, MEASURE_LAYER, because, patterns)
    results = dict.fromkeys(acceptance.rows, "accepted")
    results |= dict.fromkeys(acceptance.dropped, "dropped")
    results |= {
        row: f"not accepted, could not be measured: {reason}"
        for row, reason in acceptance.failed.items()
    }
    nothing = not results
    return Outcome(
        title="Baseline",
        columns=("row", "result"),
        rows=tuple(sorted((str(row), result) for row, result in results.items())),
        exit_status=1 if acceptance.failed or nothing else 0,
        notes=tuple(_acceptance_notes(acceptance, request.baseline, because)),
    )


def _acceptance_notes(acceptance: Acceptance, folder: Path, because: str) -> Iterator[str]:
    yield f"{len(acceptance.rows)} rows accepted into {folder}: {because}"
    for backend, versions in acceptance.versions.items():
        yield f"{backend}: {text_of(versions)}"
    if acceptance.dropped:
        yield f"{len(acceptance.dropped)} rows dropped: they no longer exist"
    if acceptance.failed:
        yield (
            f"{len(acceptance.failed)} rows could not be measured and are not accepted; the "
            "baseline has their old entries, if it had any"
        )


def show_baseline(request: CheckRequest) -> Outcome:
    """Return the numbers of rows in the baseline, their versions, and its log."""
    baseline = Baseline(request.baseline)
    table = []
    for layer in LAYERS:
        for backend in sorted({row.backend for row in baseline.rows(layer)}):
            rows = baseline.rows(layer, backend)
            entries = filter(None, map(baseline.entry, rows))
            versions = merged(entry.versions for entry in entries)
            table.append((layer, backend, len(rows), text_of(versions)))
    columns = ("layer", "backend", "rows", "versions")
    return Outcome(str(request.baseline), columns, tuple(table), notes=tuple(_log(baseline)))


def _log(baseline: Baseline) -> Sequence[str]:
    path = baseline.folder / "log.jsonl"
    if not path.exists():
        return ("nothing has been accepted yet",)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        f"{entry['when']}: {len(entry['changes'])} rows, {entry['because']}" for entry in records
    ]


def compare_two(before: str, after: str, results: Path) -> CheckReport:
    """Compare the accuracies of two runs of a suite, each given by name or by folder."""
    old, new = open_run(before, results), open_run(after, results)
    title = f"{old.folder.name} → {new.folder.name}"
    return CheckReport((compare_runs(old, new),), title=title)


def write_report(
    report: CheckReport, *, markdown: Path | None, junit: Path | None, figures: Path | None
) -> None:
    """Write the requested files: Markdown, JUnit XML, and a folder of figures.

    The figure, as SVG and PNG, is left out if nothing changed.

    Raises
    ------
    RunError
        A file cannot be written.
    """
    write_report_files(report, markdown=markdown, junit=junit)
    if figures:
        with explained("write to", figures, "choose another --figures folder"):
            _draw(report, figures)


def _draw(report: CheckReport, folder: Path) -> None:
    files = called("manyseeds.check.changes_figure:figure_files", report.findings, report.title)
    if files:
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
