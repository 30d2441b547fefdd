"""`manyseeds check`, `baseline` and `compare`: the regression gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:  # imported when a command runs: the help waits for nothing slow
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
            help="Only this row of the numerics, step by step, then and now.", metavar="ROW"
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
        """Return what to compare."""
        return _request(self, self.baseline, thorough=self.thorough)


@takes(CheckOptions)
def check(asked: CheckOptions) -> None:
    """Say what has changed since the baseline, if anything."""
    from manyseeds.check import commands

    if asked.explain is not None:
        finish(commands.explain_row(asked.request(), asked.explain), asked.as_json)
    report = commands.check_baseline(asked.request(), asked.acknowledged, strict=asked.strict)
    commands.write_report(report, markdown=asked.markdown, junit=asked.junit, figures=asked.figures)
    result = report if asked.as_json else report.outcome(asked.everything)
    finish(result, asked.as_json)


@dataclass(frozen=True)
class BaselineOptions:
    """The options of `manyseeds baseline`."""

    accept: Annotated[
        bool, typer.Option("--accept", help="Measure anew and replace what the baseline has.")
    ] = False
    because: Annotated[str, typer.Option(help="The reason, for the baseline's log.")] = ""
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row", help='Only these rows: "numerics/jax/nadam", "time/*"; may be repeated.'
        ),
    ] = None
    backend: Backends = None
    layer: Layers = None
    suite: Suites = None
    folder: BaselineFolder = BASELINE
    results: Results = Path("results")
    as_json: AsJson = False

    def request(self) -> CheckRequest:
        """Return what to measure or list."""
        return _request(self, self.folder)


@takes(BaselineOptions)
def baseline(asked: BaselineOptions) -> None:
    """Show the baseline of `check` and its log, or replace it."""
    from manyseeds.check import commands

    if asked.accept:
        outcome = commands.accept_baseline(asked.request(), asked.because, asked.row or ())
    else:
        outcome = commands.show_baseline(asked.request())
    finish(outcome, asked.as_json)


@dataclass(frozen=True)
class CompareOptions:
    """The options of `manyseeds compare`."""

    before: Annotated[str, typer.Argument(help="The older run, by name or folder.", metavar="RUN")]
    after: Annotated[str, typer.Argument(help="Another of the same suite.", metavar="RUN")]
    everything: ShowAll = False
    markdown: Markdown = None
    junit: Junit = None
    figures: Figures = None
    results: Results = Path("results")
    as_json: AsJson = False


@takes(CompareOptions)
def compare(asked: CompareOptions) -> None:
    """Compare the accuracies of two runs of a suite."""
    from manyseeds.check import commands

    report = commands.compare_two(asked.before, asked.after, asked.results)
    commands.write_report(report, markdown=asked.markdown, junit=asked.junit, figures=asked.figures)
    result = report if asked.as_json else report.outcome(asked.everything)
    finish(result, asked.as_json)


def _request(
    asked: CheckOptions | BaselineOptions, folder: Path, *, thorough: bool = False
) -> CheckRequest:
    from manyseeds.check.scope import CheckRequest

    layers: Sequence[str] = [layer.value for layer in asked.layer or ()]
    return CheckRequest(
        folder, asked.backend or (), layers, asked.suite or (), asked.results, thorough
    )
