"""Subjects in processes of their own, and the table of ratios printed at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent
_ROWS: list[tuple[str, ...]] = []


class Subject:
    """A process that does one kind of work when told to."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(FOLDER / "subjects.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._line() != "ready":
            raise RuntimeError(f"{arguments}: {self._process.communicate()[1][-2000:]}")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def work(self, *arguments: str) -> dict[str, Any]:
        """Do the work once; `seconds` is how long it took."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def subject() -> Iterator[Callable[..., Subject]]:
    """Start subjects; they end with the test."""
    started: list[Subject] = []

    def start(*arguments: object) -> Subject:
        started.append(Subject(*map(str, arguments)))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.fixture
def tell() -> Callable[..., None]:
    """Add a row to the table printed at the end."""

    def add(*cells: str) -> None:
        _ROWS.append(cells)
        print("  " + " | ".join(cell for cell in cells if cell))  # kept if the rest is stopped

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
