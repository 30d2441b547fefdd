"""`manyseeds plan`: how many seeds a suite needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from manyseeds.cli.options import AsJson, Quick, Results, takes
from manyseeds.cli.printing import finish


@dataclass(frozen=True)
class PlanOptions:
    """The options of `manyseeds plan`."""

    suite: Annotated[str, typer.Argument(help="A suite by name, or a TOML file.")]
    detect: Annotated[float, typer.Option(help="The improvement to detect; accuracies are shares.")]
    quick: Quick = False
    sd: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation over seeds of the improvement; the latest run's if left out."
        ),
    ] = None
    power: Annotated[float, typer.Option(help="The probability of detecting it.")] = 0.8
    results: Results = Path("results")
    as_json: AsJson = False


@takes(PlanOptions)
def plan(options: PlanOptions) -> None:
    """Say how many seeds a suite's claims need to detect an improvement."""
    from manyseeds.cli.seed_planning import plan_seeds

    outcome = plan_seeds(
        options.suite,
        options.detect,
        quick=options.quick,
        sd=options.sd,
        power=options.power,
        results=options.results,
    )
    finish(outcome, options.as_json)
