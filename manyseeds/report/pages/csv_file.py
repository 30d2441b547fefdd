"""Tables as CSV files, which a spreadsheet shows and does not run."""

from __future__ import annotations

from typing import Any

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\n")
"""The beginnings of a cell that spreadsheets take for a formula."""


def csv_bytes(table: pd.DataFrame) -> bytes:
    r"""Return a table as CSV; a text that a spreadsheet would run gets an apostrophe before it.

    Examples
    --------
    >>> csv_bytes(pd.DataFrame({"recipe": ["=1+1", "-0.5", "relu"], "mean": [-0.5, 1.0, 2.0]}))
    b"recipe,mean\n'=1+1,-0.5\n-0.5,1\nrelu,2\n"
    """
    safe = table.map(_safe).rename(columns=_safe)
    return safe.to_csv(index=False, lineterminator="\n", float_format="%.10g").encode()


def _safe(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # a bare \r would end the row
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
