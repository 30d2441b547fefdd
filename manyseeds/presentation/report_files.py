"""Writes the result of a command to the files that its options name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from manyseeds.errors import explained


class FileReport(Protocol):
    """A result that can be written as Markdown and as JUnit XML."""

    def markdown(self) -> str:
        """Return the result as Markdown."""

    def junit(self) -> str:
        """Return the result as JUnit XML."""


def write_report_files(report: FileReport, *, markdown: Path | None, junit: Path | None) -> None:
    """Write the requested files, and make the folders that they need.

    Raises
    ------
    RunError
        A file cannot be written.
    """
    if markdown:
        with explained("write", markdown, "choose another --markdown file"):
            _write(markdown, report.markdown())
    if junit:
        with explained("write", junit, "choose another --junit file"):
            _write(junit, report.junit())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
