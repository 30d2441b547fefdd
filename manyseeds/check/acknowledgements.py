"""Acknowledged differences: shown, but not counted as failures until they expire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from manyseeds.check.findings import Finding
from manyseeds.check.rows import RowPattern
from manyseeds.errors import RequestError, RunError, file_failure
from manyseeds.model import Model
from manyseeds.model.toml_text import parse_toml, read_text


class Acknowledgement(Model):
    """A table `[[acknowledged]]` of the file.

    Attributes
    ----------
    row
        A row's name, or a pattern of names: "numerics/tensorflow/elu_nadam_keras3", "time/jax/*".
    reason
        Why the difference is accepted.
    expires
        The last day on which it is accepted.
    """

    row: str
    reason: str
    expires: date

    def covers(self, finding: Finding) -> bool:
        """Return whether this acknowledgement covers a finding."""
        return RowPattern(self.row).matches(finding.row)


def read_acknowledgements(path: Path) -> tuple[Acknowledgement, ...]:
    """Read the file of acknowledgements; without a file there are none.

    Raises
    ------
    RequestError
        The file is not TOML, or a table lacks a key or has an unknown one.
    RunError
        The file cannot be read.
    """
    try:
        document = parse_toml(read_text(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RunError(file_failure("read", path, error)) from error
    except ValueError as error:
        raise RequestError(f"{path} is not TOML: {error}") from error
    tables = _tables(path, document)
    return tuple(_acknowledgement(path, number, table) for number, table in enumerate(tables))


def _tables(path: Path, document: dict[str, object]) -> Sequence[object]:
    tables = document.pop("acknowledged", [])
    if document or not isinstance(tables, list):
        raise RequestError(f"{path} may only contain tables [[acknowledged]]")
    return tables


def _acknowledgement(path: Path, number: int, table: object) -> Acknowledgement:
    try:
        return Acknowledgement.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the table"
        raise RequestError(
            f"{path}: acknowledged {number + 1}, {key}: {first['msg'].lower()}. A table has "
            'row = "LAYER/BACKEND/SUBJECT", reason = "…", expires = 2027-01-31'
        ) from error


def acknowledge(
    findings: Sequence[Finding], acknowledgements: Sequence[Acknowledgement], today: date
) -> tuple[Finding, ...]:
    """Mark failing findings that are acknowledged, and say which acknowledgements have expired."""
    return tuple(_marked(finding, acknowledgements, today) for finding in findings)


def _marked(finding: Finding, acknowledgements: Sequence[Acknowledgement], today: date) -> Finding:
    if not finding.fails:
        return finding
    for known in acknowledgements:
        if known.covers(finding):
            if today <= known.expires:
                return replace(finding, acknowledged=f"{known.reason} (until {known.expires})")
            expired = f"its acknowledgement expired on {known.expires}: {known.reason}"
            message = "; ".join(filter(None, [finding.message, expired]))
            finding = replace(finding, message=message)
    return finding


def unused(
    findings: Sequence[Finding], acknowledgements: Sequence[Acknowledgement]
) -> tuple[str, ...]:
    """Return the rows of acknowledgements that cover no failing finding: remove these."""
    failing = [finding for finding in findings if finding.fails]
    return tuple(known.row for known in acknowledgements if not any(map(known.covers, failing)))
