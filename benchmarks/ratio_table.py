"""The table of ratios: printed after a run, and written into a README between two markers."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from rich.table import Table

from manyseeds.backend.processor import processor
from manyseeds.presentation.markdown import markdown_escaped
from manyseeds.processes.host import cores

START, END = "<!-- table: start -->", "<!-- table: end -->"
"""Lines of a Markdown file; the text between them is replaced."""

COLUMNS = ("benchmark", "backend", "manyseeds", "peer", "ratio", "remark")
PACKAGES = ("numpy", "scipy", "torch", "tensorflow-cpu", "keras", "jax", "flax")


@dataclass(frozen=True)
class Measurement:
    """A line of the table: manyseeds and a peer, as texts with their units."""

    benchmark: str
    backend: str
    ours: str
    peer: str = ""
    ratio: str = ""
    remark: str = ""


def as_fast(ours: float, peer: float) -> str:
    """Return how many times as fast as its peer manyseeds is, from seconds."""
    return f"{peer / ours:.1f}× as fast"


def as_long(ours: float, peer: float) -> str:
    """Return how many times as long as its peer manyseeds takes, from seconds."""
    return f"{ours / peer:.2f}× as long"


def terminal_table(rows: Sequence[Measurement]) -> Table:
    """Return the table for a terminal."""
    table = Table(title="Ratios, measured side by side", title_justify="left")
    for column in COLUMNS:
        table.add_column(column)
    for row in rows:
        table.add_row(*astuple(row))
    return table


def markdown_table(rows: Sequence[Measurement]) -> str:
    """Return the machine and the table as Markdown."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(astuple(row) for row in rows)]
    cells = [[_cell(text) for text in line] for line in lines]
    return "\n".join([machine(), "", *(f"| {' | '.join(line)} |" for line in cells)])


def _cell(text: str) -> str:
    """Return a text escaped for a Markdown table, except a command in backticks."""
    parts = text.split("`")
    return "`".join(
        part if number % 2 else str(markdown_escaped(part)) for number, part in enumerate(parts)
    )


def machine() -> str:
    """Return a sentence that names the machine, the versions and the day."""
    memory = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {release}" for name in PACKAGES if (release := _installed(name)))
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {processor()}, {cores()} cores, "
        f"{memory:.0f} GiB of memory, {platform.system()}, Python {platform.python_version()}, "
        f"{versions}."
    )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def write_between_markers(file: Path, text: str) -> None:
    """Replace the text between the markers in a Markdown file."""
    before, after = text_around_markers(file)
    file.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def text_around_markers(file: Path) -> tuple[str, str]:
    """Return the text before and after the table in a Markdown file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        The file lacks a marker.
    """
    before, start, rest = file.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"expected the lines {START} and {END} in it")
    return before, after
