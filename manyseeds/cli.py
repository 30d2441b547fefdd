"""The command line: parse, call, print. Nothing is decided here."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="manyseeds",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="How much of a deep-learning claim is luck? Train it from many seeds and see.",
    epilog="Exit status: 0 all promised rows ok · 1 rows or gates not · 2 the request was wrong.",
)


class DeviceName(StrEnum):
    """Where to train."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


class PrecisionName(StrEnum):
    """Precision of training."""

    float32 = "float32"
    float64 = "float64"


class ReportFormat(StrEnum):
    """What a report is written as."""

    html = "html"
    md = "md"
    csv = "csv"
    latex = "latex"


class LayerName(StrEnum):
    """The gate's layers, cheapest first."""

    numerics = "numerics"
    accuracy = "accuracy"
    time = "time"


class ListKind(StrEnum):
    """What can be listed."""

    suites = "suites"
    techniques = "techniques"
    datasets = "datasets"
    backends = "backends"


Results = Annotated[
    Path,
    typer.Option(
        "--results", help="Folder of the runs.", metavar="DIR", envvar="MANYSEEDS_RESULTS"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command()
def run(
    suites: Annotated[
        list[str] | None, typer.Argument(help="Suites by name, or TOML files.", metavar="SUITE...")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every suite that comes along.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="The small form, on embedded data.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="How many seeds, from 0.")] = None,
    backend: Annotated[
        list[str] | None, typer.Option("--backend", help="Only this backend; may be repeated.")
    ] = None,
    device: Annotated[DeviceName, typer.Option(help="Where to train.")] = DeviceName.cpu,
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", help="Only this recipe; may be repeated.")
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", help="The seed drives only this stream; may be repeated."),
    ] = None,
    lanes: Annotated[int | None, typer.Option(help="Seeds trained together as a cohort.")] = None,
    solo: Annotated[int | None, typer.Option(help="Trainings alone, for wall time.")] = None,
    precision: Annotated[
        PrecisionName, typer.Option(help="Precision of training.")
    ] = PrecisionName.float32,
    deterministic: Annotated[
        bool, typer.Option(help="Only algorithms that repeat bit for bit.")
    ] = True,
    tf32: Annotated[bool, typer.Option(help="Let an NVIDIA GPU round to TF32.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads of a backend; its share of the cores if not given."),
    ] = None,
    beside: Annotated[
        int, typer.Option(help="Backends that train at once, each on its share of the cores.")
    ] = 1,
    memory: Annotated[
        float | None, typer.Option(help="GiB a cohort may take; else 70 % of what is free.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds without an epoch after which a job is given up.")
    ] = None,
    results: Results = Path("results"),
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with this run.", metavar="RUN")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train suites from many seeds and keep every outcome."""
    from manyseeds.commands import run_suites
    from manyseeds.planner import Options

    options = Options(
        seeds=seeds,
        lanes=lanes,
        solo=solo,
        backends=tuple(backend or ()),
        recipes=tuple(recipe or ()),
        vary=tuple(vary or ()),  # type: ignore[arg-type]  # checked by Options
        device=device.value,
        precision=precision.value,
        deterministic=deterministic,
        tf32=tf32,
        threads=threads,
        beside=beside,
        memory=None if memory is None else int(memory * 2**30),
    )
    outcome = run_suites(
        suites or [],
        options,
        quick=quick,
        results=results,
        resume=resume,
        everything=everything,
        timeout=timeout,
    )
    _print(outcome.as_json() if as_json else outcome.show, as_json)
    raise typer.Exit(outcome.exit_status)


@app.command()
def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs by name or folder; all in --results if none.", metavar="[RUN...]"
        ),
    ] = None,
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder of the pages.")] = Path("reports"),
    formats: Annotated[
        list[ReportFormat] | None,
        typer.Option(
            "--format",
            help="Pages as html and md, tables as csv and latex; may be repeated.",
            show_default="html, md, csv",
        ),
    ] = None,
    parity: Annotated[
        Path | None,
        typer.Option(
            help="What `manyseeds parity --json` printed, for the page of the techniques.",
            metavar="FILE",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the report pages from ledgers."""
    from manyseeds.commands import report_runs

    outcome = report_runs(
        runs or [],
        results=results,
        out=out,
        formats=[one.value for one in formats or ()],
        parity=parity,
    )
    _print(outcome.as_json() if as_json else outcome.show, as_json)
    raise typer.Exit(outcome.exit_status)


@app.command()
def parity(
    backend: Annotated[
        list[str] | None, typer.Option("--backend", help="Only these backends; may be repeated.")
    ] = None,
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", help="Only this recipe; may be repeated.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training followed.")] = 60,
    mutations: Annotated[
        bool, typer.Option(help="Also change every hyperparameter by 1 % and see it caught.")
    ] = True,
    device: Annotated[DeviceName, typer.Option(help="Where to train.")] = DeviceName.cpu,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the matrix to this Markdown file, too.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Follow recipes step by step in float64 on every backend and compare."""
    from manyseeds.conformance import parity_report

    report = parity_report(
        backend or [], recipe or [], steps=steps, mutations=mutations, device=device.value
    )
    if markdown:
        markdown.write_text(report.markdown(), encoding="utf-8")
    if junit:
        junit.write_text(report.junit(), encoding="utf-8")
    _print(report.as_json() if as_json else report.show, as_json)
    raise typer.Exit(report.exit_status)


@app.command()
def plan(
    suite: Annotated[str, typer.Argument(help="A suite by name, or a TOML file.")],
    detect: Annotated[
        float, typer.Option(help="The improvement to detect; accuracies are shares.")
    ],
    quick: Annotated[bool, typer.Option("--quick", help="The small form.")] = False,
    sd: Annotated[
        float | None,
        typer.Option(help="Spread over seeds of the improvement; else that of the latest run."),
    ] = None,
    power: Annotated[float, typer.Option(help="The chance wanted of detecting it.")] = 0.8,
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Say how many seeds a suite's claims need, before it is run."""
    from manyseeds.detection import plan_seeds

    outcome = plan_seeds(suite, detect, quick=quick, sd=sd, power=power, results=results)
    _print(outcome.as_json() if as_json else outcome.show, as_json)
    raise typer.Exit(outcome.exit_status)


BaselineFolder = Annotated[
    Path, typer.Option("--baseline", help="Folder of the gate's baseline.", metavar="DIR")
]
Layers = Annotated[
    list[LayerName] | None,
    typer.Option("--layer", help="Only this layer; may be repeated."),
]
CheckedBackends = Annotated[
    list[str] | None,
    typer.Option("--backend", help="Only this backend; may be repeated. All installed if none."),
]
CheckedSuites = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        help="Train this suite's quick form, not the gate's own; may be repeated.",
    ),
]
_BASELINE = Path("results") / "baseline" / "check"


@app.command()
def check(
    backend: CheckedBackends = None,
    layer: Layers = None,
    suite: CheckedSuites = None,
    baseline: BaselineFolder = _BASELINE,
    acknowledged: Annotated[
        Path, typer.Option(help="Known differences, that do not fail until they expire.")
    ] = Path("results") / "acknowledged.toml",
    explain: Annotated[
        str | None,
        typer.Option(
            help="Only this row of the numerics, step by step, then and now.", metavar="ROW"
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What cannot be told fails, too.")
    ] = False,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Follow every recipe of the parity kit; time more processes."
        ),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show what is unchanged, too.")] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a summary to this Markdown file, too.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file, too.")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Draw what moved into this folder.", metavar="DIR")
    ] = None,
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Say what has changed since the baseline, if anything."""
    from manyseeds.check import command

    question = command.Question(
        baseline, backend or (), [one.value for one in layer or ()], suite or (), results, thorough
    )
    if explain is not None:
        outcome = command.explain_row(question, explain)
        _print(outcome.as_json() if as_json else outcome.show, as_json)
        raise typer.Exit(outcome.exit_status)
    report = command.check_baseline(question, acknowledged, strict=strict)
    command.write_report(report, markdown=markdown, junit=junit, figures=figures)
    _print(report.as_json() if as_json else report.outcome(everything).show, as_json)
    raise typer.Exit(report.exit_status)


@app.command()
def baseline(
    accept: Annotated[
        bool, typer.Option("--accept", help="Measure anew and replace what the baseline has.")
    ] = False,
    because: Annotated[str, typer.Option(help="Why; it goes into the baseline's log.")] = "",
    row: Annotated[
        list[str] | None,
        typer.Option(
            "--row", help='Only these rows: "numerics/jax/nadam", "time/*"; may be repeated.'
        ),
    ] = None,
    backend: CheckedBackends = None,
    layer: Layers = None,
    suite: CheckedSuites = None,
    folder: BaselineFolder = _BASELINE,
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Show the baseline of `check` and its log, or replace it."""
    from manyseeds.check import command

    question = command.Question(
        folder, backend or (), [one.value for one in layer or ()], suite or (), results
    )
    if accept:
        outcome = command.accept_baseline(question, because, row or ())
    else:
        outcome = command.show_baseline(question)
    _print(outcome.as_json() if as_json else outcome.show, as_json)
    raise typer.Exit(outcome.exit_status)


@app.command()
def compare(
    before: Annotated[str, typer.Argument(help="The older run, by name or folder.", metavar="RUN")],
    after: Annotated[str, typer.Argument(help="Another of the same suite.", metavar="RUN")],
    everything: Annotated[bool, typer.Option("--all", help="Show what is unchanged, too.")] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a summary to this Markdown file, too.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file, too.")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Draw what moved into this folder.", metavar="DIR")
    ] = None,
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Compare the accuracies of two runs of a suite."""
    from manyseeds.check import command

    report = command.compare_two(before, after, results)
    command.write_report(report, markdown=markdown, junit=junit, figures=figures)
    _print(report.as_json() if as_json else report.outcome(everything).show, as_json)
    raise typer.Exit(report.exit_status)


@app.command("list")
def list_(
    kind: Annotated[ListKind, typer.Argument(help="What to list.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """List suites, techniques, datasets or backends."""
    from manyseeds.inventory import listing

    outcome = listing(kind.value)
    _print(outcome.as_json() if as_json else outcome.show, as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, which devices there are and which data can be had."""
    from manyseeds.inventory import examine

    outcome = examine()
    _print(outcome.as_json() if as_json else outcome.show, as_json)
    raise typer.Exit(outcome.exit_status)


def _print(outcome: Any, as_json: bool) -> None:
    if as_json:
        json.dump(outcome, sys.stdout, indent=1, allow_nan=False)
        sys.stdout.write("\n")
        return
    outcome()


def main() -> None:
    """Run the command line; errors made on purpose are shown without a traceback."""
    from manyseeds.errors import ManyseedsError

    try:
        app()
    except ManyseedsError as error:
        typer.secho(f"manyseeds: {error}", err=True, fg=typer.colors.RED)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
