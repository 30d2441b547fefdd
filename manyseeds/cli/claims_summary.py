"""The work of `manyseeds report`: writes the pages and returns the table of claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from manyseeds.ledger.runs import chosen_ledgers
from manyseeds.presentation.command_result import Outcome

_PRINTED = (
    *("suite", "form", "claim", "case", "backend", "pairs"),
    *("improvement", "unit", "family_low", "family_high", "verdict"),
)
"""The columns that fit the console; `--json` has all of `manyseeds.report.claims_table`."""


def report_runs(
    runs: Sequence[str],
    *,
    results: Path = Path("results"),
    out: Path = Path("reports"),
    formats: Sequence[str] = (),
    parity: Path | None = None,
) -> Outcome:
    """Make the report of these runs, or of all in a folder.

    Parameters
    ----------
    runs, results
        Runs by name or folder; all in `results` if none.
    out
        Folder of the report.
    formats
        Formats to write: "html", "md", "csv", "latex"; () takes the default of `render`.
    parity
        JSON that `manyseeds parity --json` printed, for the page of techniques.
    """
    from manyseeds.report import DEFAULT_FORMATS, claims_table, read_parity
    from manyseeds.report.isolated import render_apart

    chosen = chosen_ledgers(runs, results)
    parity_results = read_parity(parity) if parity else None
    rendered = render_apart(chosen, out, formats or DEFAULT_FORMATS, parity_results)
    unfinished = [ledger for ledger in chosen if not ledger.complete()]
    claims = claims_table(chosen)
    rows = tuple(
        tuple(_plain(value) for value in row) for row in claims.itertuples(index=False, name=None)
    )
    notes = [f"{ledger.folder.name} is incomplete" for ledger in unfinished]
    notes += rendered.notes
    notes += [f"written: {page}" for page in rendered.pages]
    return Outcome(
        "Claims",
        tuple(map(str, claims.columns)),
        rows,
        1 if unfinished else 0,
        tuple(notes),
        _PRINTED,
    )


def _plain(value: Any) -> Any:
    """Return a frame's value as JSON has it: no NaN, no NumPy."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
