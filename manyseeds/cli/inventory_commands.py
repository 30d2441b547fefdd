"""`manyseeds list` and `manyseeds doctor`: the inventory, and the state of the installation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from manyseeds.cli.options import AsJson, takes
from manyseeds.cli.printing import finish


class ListKind(StrEnum):
    """The things that can be listed."""

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
def list_(options: ListOptions) -> None:
    """List suites, techniques, datasets or backends."""
    from manyseeds.cli.inventory import listing

    finish(listing(options.kind.value), options.as_json)


@dataclass(frozen=True)
class DoctorOptions:
    """The options of `manyseeds doctor`."""

    as_json: AsJson = False


@takes(DoctorOptions)
def doctor(options: DoctorOptions) -> None:
    """Check the installation: backends, data sets and compiled programs."""
    from manyseeds.cli.inventory import examine

    finish(examine(), options.as_json)
