"""`manyseeds pack`: one file of each kind from a whole run."""

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
        list[str], typer.Argument(help="Whole runs, by name or folder.", metavar="RUN...")
    ]
    results: Results = Path("results")
    as_json: AsJson = False


@takes(PackOptions)
def pack(asked: PackOptions) -> None:
    """Make one file of each kind from a whole run, to be committed or passed on."""
    from manyseeds.ledger.packing import pack as pack_run
    from manyseeds.ledger.runs import open_run
    from manyseeds.presentation.command_result import Outcome

    ledgers = [open_run(name, asked.results) for name in asked.runs]
    rows = tuple((str(ledger.folder), *pack_run(ledger)) for ledger in ledgers)
    finish(Outcome("Packed", ("run", "files before", "files now"), rows), asked.as_json)
