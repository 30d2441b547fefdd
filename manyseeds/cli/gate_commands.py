"""`manyseeds check`, `baseline` and `compare`: the regression gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from manyseeds.cli.options import (
    AsJson,
    Backends,
    Figures,
    Junit,
    Markdown,
    Results,
    ShowAll,
    takes,
)
from manyseeds.cli.printing import finish

if TYPE_CHECKING:  # imported when a command runs, so that --help is quick
    from manyseeds.check.report import CheckReport
    from manyseeds.check.scope import CheckRequest


class LayerName(StrEnum):
    """The gate's layers, cheapest first."""

    numerics = "numerics"
    accuracy = "accuracy"
    time = "time"


BaselineFolder = Annotated[
    Path, typer.Option("--baseline", help="Folder of the gate's baseline.", metavar="DIR")
]
Layers = Annotated[
    list[LayerName] | None, typer.Option("--layer", help="Only this layer; may be repeated.")
]
Suites = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        help="Train this suite's quick form instead of the gate's own; may be repeated.",
    ),
]
BASELINE = Path("results") / "baseline" / "check"


@dataclass(frozen=True)
class CheckOptions:
    """The options of `manyseeds check`."""

    backend: Backends = None
    layer: Layers = None
    suite: Suites = None
    baseline: BaselineFolder = BASELINE
    acknowledged: Annotated[
        Path,
        typer.Option(help="Known differences; they pass until they expire.", metavar="FILE"),
    ] = Path("results") / "acknowledged.toml"
    explain: Annotated[
        str | None,
        typer.Option(
            help="Explain one row of the numerics: step by step, then and now.", metavar="ROW"
        ),
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Also fail on rows that cannot be decided.")
    ] = False
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Follow every recipe of the parity kit; time more processes."
        ),
    ] = False
    everything: ShowAll = False
    markdown: Markdown = None
    junit: Junit = None
    figures: Figures = None
    results: Results = Path("results")
    as_json: AsJson = False

    def request(self) -> CheckRequest:
        """Return the request for a check."""
        return _request(self, self.baseline, thorough=self.thorough)


@takes(CheckOptions)
def check(options: CheckOptions) -> None:
    """Check whether anything has changed since the baseline."""
    from manyseeds.check import commands

    if options.explain is not None:
        finish(commands.explain_row(options.request(), options.explain), options.as_json)
    report = commands.check_baseline(options.request(), options.acknowledged, strict=options.strict)
    _write_and_finish(report, options)


@dataclass(frozen=True)
class BaselineOptions:
    """The options of `manyseeds baseline`."""

    accept: Annotated[
        bool, typer.Option("--accept", help="Measure again and replace the baseline's rows.")
    ] = False
    because: Annotated[str, typer.Option(help="The reason, for the baseline's log.")] = ""
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row", help='Only these rows: "numerics/jax/elu_nadam", "time/*"; may be repeated.'
        ),
    ] = None
    backend: Backends = None
    layer: Layers = None
    suite: Suites = None
    folder: BaselineFolder = BASELINE
    results: Results = Path("results")
    as_json: AsJson = False

    def request(self) -> CheckRequest:
        """Return the request for a baseline."""
        return _request(self, self.folder)


@takes(BaselineOptions)
def baseline(options: BaselineOptions) -> None:
    """Show the baseline of `check` and its log, or replace it."""
    from manyseeds.check import commands

    if options.accept:
        outcome = commands.accept_baseline(options.request(), options.because, options.row or ())
    else:
        outcome = commands.show_baseline(options.request())
    finish(outcome, options.as_json)


@dataclass(frozen=True)
class CompareOptions:
    """The options of `manyseeds compare`."""

    before: Annotated[str, typer.Argument(help="The older run, by name or folder.", metavar="RUN")]
    after: Annotated[str, typer.Argument(help="The newer run, of the same suite.", metavar="RUN")]
    everything: ShowAll = False
    markdown: Markdown = None
    junit: Junit = None
    figures: Figures = None
    results: Results = Path("results")
    as_json: AsJson = False


@takes(CompareOptions)
def compare(options: CompareOptions) -> None:
    """Compare the accuracies of two runs of a suite."""
    from manyseeds.check import commands

    _write_and_finish(commands.compare_two(options.before, options.after, options.results), options)


def _write_and_finish(report: CheckReport, options: CheckOptions | CompareOptions) -> NoReturn:
    """Write a report to the files that are asked for, print it, and exit."""
    from manyseeds.check.commands import write_report

    write_report(report, markdown=options.markdown, junit=options.junit, figures=options.figures)
    finish(report if options.as_json else report.outcome(options.everything), options.as_json)


def _request(
    options: CheckOptions | BaselineOptions, folder: Path, *, thorough: bool = False
) -> CheckRequest:
    from manyseeds.check.scope import CheckRequest

    layers: Sequence[str] = [layer.value for layer in options.layer or ()]
    return CheckRequest(
        folder, options.backend or (), layers, options.suite or (), options.results, thorough
    )
