"""The runs in a results folder: all of them, or some by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manyseeds.errors import RequestError, unknown
from manyseeds.ledger.ledger import Ledger


def ledgers(results: Path) -> list[Ledger]:
    """Return the ledgers of all runs in a results folder, sorted by name."""
    return [Ledger.open(path.parent) for path in sorted(results.glob("*/plan.json"))]


def open_run(name: str, results: Path) -> Ledger:
    """Return the ledger of a run.

    Parameters
    ----------
    name
        The run's name in the results folder, or the path of its own folder.
    results
        The results folder.

    Raises
    ------
    RequestError
        There is no such run; the message suggests the nearest name.
    """
    for folder in (results / name, Path(name)):
        if (folder / "plan.json").is_file():
            return Ledger.open(folder)
    known = [path.parent.name for path in results.glob("*/plan.json")]
    raise RequestError(f"{results}: {unknown('run', name, known)}")


def chosen_ledgers(runs: Sequence[str], results: Path) -> list[Ledger]:
    """Return the ledgers of these runs, by name or folder; of all runs if none is named.

    Raises
    ------
    RequestError
        A run does not exist, or the results folder has none.
    """
    chosen = [open_run(name, results) for name in runs] or ledgers(results)
    if not chosen:
        raise RequestError(f"{results} has no runs: make one with `manyseeds run`")
    return chosen
