"""`manyseeds list` and `manyseeds doctor`: what there is, and what is installed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from manyseeds.cli.options import AsJson, takes
from manyseeds.cli.printing import finish


class ListKind(StrEnum):
    """What can be listed."""

    suites = "suites"
    techniques = "techniques"
    datasets = "datasets"
    backends = "backends"


@dataclass(frozen=True)
class ListOptions:
    """The options of `manyseeds list`."""

    kind: Annotated[ListKind, typer.Argument(help="What to list.", show_default=False)]
    as_json: AsJson = False


@takes(ListOptions)
def list_(asked: ListOptions) -> None:
    """List suites, techniques, datasets or backends."""
    from manyseeds.cli.inventory import listing

    finish(listing(asked.kind.value), asked.as_json)


@dataclass(frozen=True)
class DoctorOptions:
    """The options of `manyseeds doctor`."""

    as_json: AsJson = False


@takes(DoctorOptions)
def doctor(asked: DoctorOptions) -> None:
    """Say what is installed, which devices there are and which data are available."""
    from manyseeds.cli.inventory import examine

    finish(examine(), asked.as_json)
