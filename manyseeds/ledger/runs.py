"""The runs in a results folder, and those chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manyseeds.errors import RequestError, unknown
from manyseeds.ledger.ledger import Ledger


def ledgers(results: Path) -> list[Ledger]:
    """Return every run in a results folder, by name."""
    return [Ledger.open(path.parent) for path in sorted(results.glob("*/plan.json"))]


def open_run(name: str, results: Path) -> Ledger:
    """Return a run by its name in a results folder, or by its own folder."""
    for folder in (results / name, Path(name)):
        if (folder / "plan.json").is_file():
            return Ledger.open(folder)
    known = [path.parent.name for path in results.glob("*/plan.json")]
    raise RequestError(f"{results}: {unknown('run', name, known)}")


def chosen_ledgers(runs: Sequence[str], results: Path) -> list[Ledger]:
    """Return the ledgers of runs, by name or folder, or of all in a folder."""
    chosen = [open_run(name, results) for name in runs] or ledgers(results)
    if not chosen:
        raise RequestError(f"{results} holds no runs: make one with `manyseeds run`")
    return chosen
