"""The command line: parse, call, print. Nothing is decided here."""

from __future__ import annotations

import sys

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
    """Run the command line; errors made on purpose are shown without a traceback."""
    from manyseeds.errors import ManyseedsError, printable
    from manyseeds.presentation.streams import take_any_character
    from manyseeds.processes.system import check_system

    try:
        check_system()
        take_any_character()
        app()
    except ManyseedsError as error:
        typer.secho(printable(f"manyseeds: {error}"), err=True, fg=typer.colors.RED)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
