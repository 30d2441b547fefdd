"""Ends a command: prints a table or JSON on standard output, and sets the exit status."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn, Protocol

import typer


class Result(Protocol):
    """The result of a command."""

    @property
    def exit_status(self) -> int:
        """0 if all is well; 1 if some rows or gates are not."""

    def show(self) -> None:
        """Print the result for a person."""

    def as_json(self) -> Any:
        """Return the result for a program."""


def finish(result: Result, as_json: bool) -> NoReturn:
    """Print a result and end the program with its exit status."""
    if as_json:
        json.dump(result.as_json(), sys.stdout, indent=1, allow_nan=False)
        sys.stdout.write("\n")
    else:
        result.show()
    raise typer.Exit(result.exit_status)
