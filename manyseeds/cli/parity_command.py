"""`manyseeds parity`: whether it is the same training on every backend."""

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
        bool, typer.Option(help="Also change every hyperparameter by 1 % and see it caught.")
    ] = True
    device: Device = DeviceName.cpu
    markdown: Markdown = None
    junit: Junit = None
    as_json: AsJson = False


@takes(ParityOptions)
def parity(asked: ParityOptions) -> None:
    """Follow recipes step by step in float64 on every backend and compare."""
    from manyseeds.conformance import parity_report

    report = parity_report(
        asked.backend or (),
        asked.recipe or (),
        steps=asked.steps,
        mutations=asked.mutations,
        device=asked.device.value,
    )
    if asked.markdown:
        asked.markdown.write_text(report.markdown(), encoding="utf-8")
    if asked.junit:
        asked.junit.write_text(report.junit(), encoding="utf-8")
    finish(report, asked.as_json)
