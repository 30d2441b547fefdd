"""The command line: parse, call, print. Nothing is decided here."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import typer

from manyseeds.cli.gate_commands import baseline, check, compare
from manyseeds.cli.inventory_commands import doctor, list_
from manyseeds.cli.pack_command import pack
from manyseeds.cli.parity_command import parity
from manyseeds.cli.plan_command import plan
from manyseeds.cli.report_command import report
from manyseeds.cli.run_command import run

app = typer.Typer(
    name="manyseeds",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="How much of a deep-learning claim is luck? Train it from many seeds and see.",
    epilog="Exit status: 0 all promised rows are ok · 1 some rows or gates are not · "
    "2 the request was wrong.",
)
for command in (run, report, parity, plan, check, baseline, compare, pack):
    app.command()(command)
app.command("list")(list_)
app.command()(doctor)


def main() -> None:
    """Run the command line; errors made on purpose, and the system's, are shown in a sentence."""
    from manyseeds.errors import ManyseedsError, file_failure
    from manyseeds.presentation.streams import take_any_character
    from manyseeds.processes.limits import limits_explained
    from manyseeds.processes.system import check_memory, check_system

    try:
        check_system()
        check_memory()
        take_any_character()
        with _notices(), limits_explained():
            app()
    except ManyseedsError as error:
        _show(str(error))
        sys.exit(error.exit_status)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if not isinstance(error.filename, str):  # not about a file: a fault of manyseeds
            raise
        _show(file_failure("use", Path(error.filename), error))
        sys.exit(1)


@contextmanager
def _notices() -> Iterator[None]:
    """Show every `Notice` as one line, without the place in the code where it was given."""
    from manyseeds.errors import Notice

    with warnings.catch_warnings():
        warnings.simplefilter("always", Notice)
        warnings.showwarning = partial(_show_warning, Notice, warnings.showwarning)
        yield


def _show_warning(
    notice: type[Warning],
    otherwise: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    *place: Any,
    **more: Any,
) -> None:
    if issubclass(category, notice):
        _show(str(message), typer.colors.YELLOW)
    else:
        otherwise(message, category, *place, **more)


def _show(line: str, colour: str = typer.colors.RED) -> None:
    from manyseeds.errors import printable

    typer.secho(printable(f"manyseeds: {line}"), err=True, fg=colour)


if __name__ == "__main__":
    main()
