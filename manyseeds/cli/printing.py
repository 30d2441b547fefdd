"""How a command ends: a table or JSON on standard output, and an exit status."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn, Protocol

import typer


class Result(Protocol):
    """What a command found."""

    @property
    def exit_status(self) -> int:
        """0: fine; 1: rows or gates are not."""

    def show(self) -> None:
        """Print it for a person."""

    def as_json(self) -> Any:
        """Return it for a program."""


def finish(result: Result, as_json: bool) -> NoReturn:
    """Print a result and leave with its exit status."""
    if as_json:
        json.dump(result.as_json(), sys.stdout, indent=1, allow_nan=False)
        sys.stdout.write("\n")
    else:
        result.show()
    raise typer.Exit(result.exit_status)
