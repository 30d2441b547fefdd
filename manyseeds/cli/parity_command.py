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
    from manyseeds.errors import explained

    report = parity_report(
        options.backend or (),
        options.recipe or (),
        steps=options.steps,
        mutations=options.mutations,
        device=options.device.value,
    )
    if options.markdown:
        with explained("write", options.markdown, "choose another --markdown file"):
            options.markdown.write_text(report.markdown(), encoding="utf-8")
    if options.junit:
        with explained("write", options.junit, "choose another --junit file"):
            options.junit.write_text(report.junit(), encoding="utf-8")
    finish(report, options.as_json)
