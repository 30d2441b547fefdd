"""`manyseeds pack`: one file of each kind from a complete run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from manyseeds.cli.options import AsJson, Results, takes
from manyseeds.cli.printing import finish


@dataclass(frozen=True)
class PackOptions:
    """The options of `manyseeds pack`."""

    runs: Annotated[
        list[str], typer.Argument(help="Complete runs, by name or folder.", metavar="RUN...")
    ]
    results: Results = Path("results")
    as_json: AsJson = False


@takes(PackOptions)
def pack(options: PackOptions) -> None:
    """Pack a complete run into one file of each kind, to commit or to pass on."""
    from manyseeds.ledger.packing import pack as pack_run
    from manyseeds.ledger.runs import open_run
    from manyseeds.presentation.command_result import Outcome

    ledgers = [open_run(name, options.results) for name in options.runs]
    rows = tuple((str(ledger.folder), *pack_run(ledger)) for ledger in ledgers)
    finish(Outcome("Packed", ("run", "files before", "files now"), rows), options.as_json)
