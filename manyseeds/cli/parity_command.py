"""`manyseeds parity`: compare the training on all backends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from manyseeds.cli.options import (
    AsJson,
    Backends,
    Device,
    DeviceName,
    Junit,
    Markdown,
    Recipes,
    takes,
)
from manyseeds.cli.printing import finish


@dataclass(frozen=True)
class ParityOptions:
    """The options of `manyseeds parity`."""

    backend: Backends = None
    recipe: Recipes = None
    steps: Annotated[int, typer.Option(min=1, help="Training steps to follow.")] = 60
    mutations: Annotated[
        bool, typer.Option(help="Also check that changing a hyperparameter by 1 % is noticed.")
    ] = True
    device: Device = DeviceName.cpu
    markdown: Markdown = None
    junit: Junit = None
    as_json: AsJson = False


@takes(ParityOptions)
def parity(options: ParityOptions) -> None:
    """Follow recipes step by step in float64 on every backend and compare."""
    from manyseeds.conformance import parity_report
    from manyseeds.presentation.report_files import write_report_files

    report = parity_report(
        options.backend or (),
        options.recipe or (),
        steps=options.steps,
        mutations=options.mutations,
        device=options.device.value,
    )
    write_report_files(report, markdown=options.markdown, junit=options.junit)
    finish(report, options.as_json)
