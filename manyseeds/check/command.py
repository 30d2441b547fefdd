"""What `manyseeds check`, `baseline` and `compare` do, as functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manyseeds.check.accuracy.layer import compare_runs
from manyseeds.check.acknowledged import read_acknowledged
from manyseeds.check.findings import LAYERS
from manyseeds.check.gate import Asked, accept, asked, check
from manyseeds.check.measures import MEASURES
from manyseeds.check.numerics.explain import explain
from manyseeds.check.report import CheckReport
from manyseeds.check.store import Baseline
from manyseeds.errors import RequestError, RunError
from manyseeds.ledger.runs import chosen_ledgers
from manyseeds.presentation.command_result import Outcome


@dataclass(frozen=True)
class Question:
    """What a command line asks for: nothing named means everything there is."""

    baseline: Path
    backends: Sequence[str] = ()
    layers: Sequence[str] = ()
    suites: Sequence[str] = ()
    results: Path = Path("results")
    thorough: bool = False

    def asked(self, baseline: Baseline) -> Asked:
        """Return it with everything named."""
        runs = self.results / "check"
        found = asked(baseline, self.backends, self.layers, self.suites, runs)
        return replace(found, thorough=self.thorough)


def check_baseline(question: Question, acknowledged: Path, *, strict: bool = False) -> CheckReport:
    """Compare what is installed with the baseline."""
    known = read_acknowledged(acknowledged)
    baseline = Baseline(question.baseline)
    return check(question.asked(baseline), baseline, MEASURES, known, strict=strict)


def explain_row(question: Question, row: str) -> Outcome:
    """Follow one row of the numerics anew and show it beside the baseline's."""
    baseline = Baseline(question.baseline)
    parts = row.split("/", 2)
    if len(parts) < 3 or parts[0] != "numerics":
        raise RequestError(
            f"--explain {row}: a row of the numerics is meant, numerics/BACKEND/RECIPE; rows of "
            "other layers have all there is to say in the table"
        )
    return explain(row, baseline)


def accept_baseline(question: Question, because: str, rows: Sequence[str] = ()) -> Outcome:
    """Replace what the baseline has by what is measured now."""
    baseline = Baseline(question.baseline)
    found = accept(question.asked(baseline), baseline, MEASURES, because, rows)
    told = dict.fromkeys(found.rows, "accepted")
    told |= dict.fromkeys(found.gone, "dropped")
    told |= {
        row: f"not accepted, could not be measured: {why}" for row, why in found.failed.items()
    }
    note = f"{len(found.rows)} rows accepted into {question.baseline}: {because}"
    status = 1 if found.failed else 0
    return Outcome("Baseline", ("row", "what"), tuple(sorted(told.items())), status, (note,))


def show_baseline(question: Question) -> Outcome:
    """List how many rows the baseline has, of which versions, and what its log says."""
    baseline = Baseline(question.baseline)
    rows = []
    for layer in LAYERS:
        for backend in sorted({row.split("/")[1] for row in baseline.rows(layer)}):
            names = baseline.rows(layer, backend)
            first = baseline.entry(layer, backend, names[0].split("/", 2)[2])
            versions = first.versions if first else {}
            told = ", ".join(f"{name} {version}" for name, version in versions.items())
            rows.append((layer, backend, len(names), told))
    columns = ("layer", "backend", "rows", "versions")
    return Outcome(str(question.baseline), columns, tuple(rows), notes=tuple(_log(baseline)))


def _log(baseline: Baseline) -> Sequence[str]:
    path = baseline.folder / "log.jsonl"
    if not path.exists():
        return ("nothing has been accepted yet",)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [f"{one['when']}: {len(one['changes'])} rows, {one['because']}" for one in lines]


def compare_two(before: str, after: str, results: Path) -> CheckReport:
    """Compare the accuracies of two runs of a suite."""
    (old,), (new,) = chosen_ledgers([before], results), chosen_ledgers([after], results)
    return CheckReport((compare_runs(old, new),))


def write_report(
    report: CheckReport, *, markdown: Path | None, junit: Path | None, figures: Path | None
) -> None:
    """Write what is asked for; the figures are SVG and PNG, none if nothing moved."""
    try:
        if markdown:
            markdown.write_text(report.markdown(), encoding="utf-8")
        if junit:
            junit.write_text(report.junit(), encoding="utf-8")
        if figures:
            _draw(report, figures)
    except OSError as error:
        where = error.filename or "the report"
        raise RunError(f"cannot write {where}: {error.strerror or error}") from error


def _draw(report: CheckReport, folder: Path) -> None:
    from manyseeds.check.figure import moved_figure

    drawn = moved_figure(report.findings)
    if drawn:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{drawn.name}.svg").write_bytes(drawn.svg)
        (folder / f"{drawn.name}.png").write_bytes(drawn.png)
