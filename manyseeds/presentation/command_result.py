"""The result of a command: a table for people, JSON for programs, and an exit status."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from manyseeds.presentation.streams import is_live
from manyseeds.presentation.terminal import styled, terminal

_PLAIN_WIDTH = 160


@dataclass(frozen=True)
class Outcome:
    """A table with notes under it, and an exit status.

    Attributes
    ----------
    shown
        Columns to print; () prints all. JSON always has all.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    exit_status: int = 0
    notes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    def show(self) -> None:
        """Print the table."""
        console = terminal()
        if not is_live(console):
            console = terminal(width=_PLAIN_WIDTH)
        console.print(self._table())
        for note in self.notes:
            console.print(styled(note), soft_wrap=True)

    def _table(self) -> Table:
        table = Table(title=styled(self.title), title_justify="left", header_style="bold")
        chosen = [self.columns.index(name) for name in self.shown or self.columns]
        for index in chosen:
            number = any(isinstance(row[index], int | float) for row in self.rows)
            table.add_column(styled(self.columns[index]), justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*(_cell(row[index]) for index in chosen))
        return table

    def as_json(self) -> dict[str, Any]:
        """Return title, rows by column and notes."""
        rows = [dict(zip(self.columns, map(_json, row), strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def _json(value: Any) -> Any:
    """Return a value that JSON can hold: infinities and NaN become text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Text:
    if value is None:
        return styled("–")
    return styled(f"{value:.4g}" if isinstance(value, float) else str(value))
