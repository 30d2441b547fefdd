"""Subjects, each in a worker of its own, and the table of ratios printed at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from manyseeds.processes.worker_process import Worker

_ROWS: list[tuple[str, ...]] = []


class TimedSubject:
    """A worker that does one kind of work, on request."""

    def __init__(self, *arguments: str) -> None:
        self._worker = Worker.start("subjects", *arguments)

    def work(self, *arguments: str) -> dict[str, Any]:
        """Do the work once, and return how: "seconds" is how long it took."""
        self._worker.send({"arguments": arguments})
        return self._worker.receive()

    def prepare(self) -> None:
        """Wait until the work is prepared."""
        self._worker.send({"prepare": True})
        self._worker.receive()

    def close(self) -> None:
        """End the worker."""
        self._worker.stop()


@pytest.fixture
def subject() -> Iterator[Callable[..., TimedSubject]]:
    """Start subjects and prepare them; they end with the test."""
    with contextlib.ExitStack() as started:

        def start(*arguments: object) -> TimedSubject:
            timed = TimedSubject(*map(str, arguments))
            started.callback(timed.close)
            timed.prepare()
            return timed

        yield start


@pytest.fixture
def tell() -> Callable[..., None]:
    """Add a row to the table printed at the end."""

    def add(*cells: str) -> None:
        _ROWS.append(cells)
        print("  " + " | ".join(cell for cell in cells if cell))  # in case the rest is interrupted

    return add


def pytest_terminal_summary() -> None:
    """Print the ratios."""
    table = Table(title="Ratios, measured side by side", title_justify="left")
    for column in ("what", "backend", "ours", "peer", "ratio", "remark"):
        table.add_column(column)
    for row in _ROWS:
        table.add_row(*row)
    if _ROWS:
        Console(width=140).print(table)
