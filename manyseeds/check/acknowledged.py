"""Differences that are known: shown, but no failure until they expire."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import ValidationError

from manyseeds.check.findings import Finding
from manyseeds.errors import RequestError, RunError
from manyseeds.model import Model

FILE = Path("results") / "acknowledged.toml"


class Acknowledged(Model):
    """A table `[[acknowledged]]` of the file.

    Attributes
    ----------
    row
        A row's name, or a pattern of names: "numerics/tensorflow/nadam", "time/jax/*".
    reason
        Why it is accepted.
    expires
        The last day on which it is.
    """

    row: str
    reason: str
    expires: date


def read_acknowledged(path: Path) -> tuple[Acknowledged, ...]:
    """Read the file; nothing is acknowledged where there is none.

    Raises
    ------
    RequestError
        It is not TOML, or a table lacks a key or has another.
    RunError
        It cannot be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} is not TOML: {error}") from error
    return tuple(_read(path, number, row) for number, row in enumerate(_tables(path, document)))


def _tables(path: Path, document: dict[str, object]) -> Sequence[object]:
    rows = document.pop("acknowledged", [])
    if document or not isinstance(rows, list):
        raise RequestError(f"{path} has tables [[acknowledged]] and nothing else")
    return rows


def _read(path: Path, number: int, row: object) -> Acknowledged:
    try:
        return Acknowledged.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the table"
        raise RequestError(
            f"{path}: acknowledged {number + 1}, {key}: {first['msg'].lower()}. A table has "
            'row = "LAYER/BACKEND/SUBJECT", reason = "…", expires = 2027-01-31'
        ) from error


def acknowledge(
    findings: Sequence[Finding], known: Sequence[Acknowledged], today: date
) -> tuple[Finding, ...]:
    """Say of findings that fail why they are accepted, where they are, or since when no more."""
    return tuple(_acknowledged(finding, known, today) for finding in findings)


def _acknowledged(finding: Finding, known: Sequence[Acknowledged], today: date) -> Finding:
    if not finding.fails:
        return finding
    for one in known:
        if fnmatchcase(finding.row, one.row):
            if today <= one.expires:
                return replace(finding, acknowledged=f"{one.reason} (until {one.expires})")
            told = f"acknowledged until {one.expires}, which has passed: {one.reason}"
            finding = replace(finding, told="; ".join(filter(None, [finding.told, told])))
    return finding


def unused(findings: Sequence[Finding], known: Sequence[Acknowledged]) -> tuple[str, ...]:
    """Return the rows acknowledged that no finding needs: they should be removed."""
    failing = [finding.row for finding in findings if finding.fails]
    return tuple(one.row for one in known if not any(fnmatchcase(row, one.row) for row in failing))
