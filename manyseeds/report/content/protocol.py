"""The protocol behind a page's numbers: the suite's full one, its quick form, or a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyseeds.model.toml_text import NotTomlError, parse_toml
from manyseeds.presentation.wording import listed
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics.scores import ordinary

_LONGEST = 80
"""Number of characters of a value that are shown."""


_QUICK = "quick form"


@dataclass(frozen=True)
class TrainedProtocol:
    """The protocol that was trained, compared with the suite's full form.

    Attributes
    ----------
    form
        "full protocol", "quick form" or "part of the full protocol".
    differences
        The differences from the full protocol, one line each.
    """

    form: str
    differences: tuple[str, ...]

    @property
    def quick(self) -> bool:
        """Whether it was a rehearsal, the suite's quick form."""
        return self.form == _QUICK


def protocol(reported: ReportedSuite) -> TrainedProtocol:
    """Return the protocol behind the rows of a page."""
    left_out = tuple(_left_out(reported))
    if reported.plan.quick:
        return TrainedProtocol(_QUICK, (*quick_changes(reported.plan.suite_text), *left_out))
    return TrainedProtocol("part of the full protocol" if left_out else "full protocol", left_out)


def seeds(reported: ReportedSuite) -> int:
    """Return the number of seeds promised in the rows that claims are about."""
    return int(ordinary(reported.records, reported.suite)["seed"].nunique())


def quick_changes(text: str) -> list[str]:
    """Return the changes that the table [quick] of a suite's text makes, one line per key."""
    try:
        document = parse_toml(text)
    except NotTomlError:
        return []
    quick = document.pop("quick", {})
    return list(_changes(document, quick, "")) if isinstance(quick, Mapping) else []


def _changes(base: Any, overlay: Mapping[str, Any], key: str) -> Iterator[str]:
    for name, value in overlay.items():
        place = f"{key}.{name}" if key else name
        before = _entry(base, name)
        if isinstance(value, Mapping):
            yield from _changes(before, value, place)
        elif before is None:
            yield f"{place} added: {_short(value)}"
        elif before != value:
            yield f"{place}: {_short(before)} → {_short(value)}"


def _entry(base: Any, name: str) -> Any:
    """Return an entry of a table, or the entry of this name in a list of tables."""
    if isinstance(base, Mapping):
        return base.get(name)
    if isinstance(base, Sequence) and not isinstance(base, str):
        tables = [table for table in base if isinstance(table, Mapping)]
        return next((table for table in tables if table.get("name") == name), None)
    return None


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _left_out(reported: ReportedSuite) -> Iterator[str]:
    """Yield the seeds and recipes that the runs left out of the suite or added, a line each."""
    rows, suite = ordinary(reported.records, reported.suite), reported.suite
    if (promised := seeds(reported)) != suite.seeds:
        yield f"seeds: {suite.seeds} in the suite, {promised} promised"
    present = {*rows["recipe"].unique(), *(cell.recipe for cell in reported.plan.unsupported)}
    absent = [name for name in suite.recipes() if name not in present]
    if absent:
        listed_names = absent[:8] + ([f"{len(absent) - 8} more"] if len(absent) > 8 else [])
        yield f"recipes left out: {listed(listed_names)}"
