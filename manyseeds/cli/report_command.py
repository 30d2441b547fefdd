"""`manyseeds report`: pages, tables and figures from ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from manyseeds.cli.options import AsJson, Results, takes
from manyseeds.cli.printing import finish


class ReportFormat(StrEnum):
    """The formats of a report."""

    html = "html"
    md = "md"
    csv = "csv"
    latex = "latex"


@dataclass(frozen=True)
class ReportOptions:
    """The options of `manyseeds report`."""

    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs by name or folder; all in --results if none.", metavar="[RUN...]"
        ),
    ] = None
    results: Results = Path("results")
    out: Annotated[Path, typer.Option(help="Folder of the pages.", metavar="DIR")] = Path("reports")
    formats: Annotated[
        list[ReportFormat] | None,
        typer.Option(
            "--format",
            help="Pages as html and md, tables as csv and latex; may be repeated.",
            show_default="html, md, csv",
        ),
    ] = None
    parity: Annotated[
        Path | None,
        typer.Option(
            help="JSON from `manyseeds parity --json`, for the page of techniques.",
            metavar="FILE",
        ),
    ] = None
    as_json: AsJson = False


@takes(ReportOptions)
def report(options: ReportOptions) -> None:
    """Render the report from ledgers."""
    from manyseeds.cli.claims_summary import report_runs

    formats = [chosen.value for chosen in options.formats or ()]
    outcome = report_runs(
        options.runs or (),
        results=options.results,
        out=options.out,
        formats=formats,
        parity=options.parity,
    )
    finish(outcome, options.as_json)
