"""Which protocol a page's numbers come from: the suite's full one, its quick form, or a part."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyseeds.presentation.wording import listed
from manyseeds.report.reported_suites import ReportedSuite
from manyseeds.statistics.scores import ordinary

_LONGEST = 80


@dataclass(frozen=True)
class TrainedProtocol:
    """What was trained of what the suite's full form asks.

    Attributes
    ----------
    form
        "full protocol", "quick form" or "part of the full protocol".
    differences
        What is not as in the full protocol, one line each.
    """

    form: str
    differences: tuple[str, ...]


def protocol(subject: ReportedSuite) -> TrainedProtocol:
    """Return what sets the rows of a page apart from the suite's full form."""
    left_out = tuple(_left_out(subject))
    if subject.plan.quick:
        return TrainedProtocol("quick form", (*quick_changes(subject.plan.suite_text), *left_out))
    return TrainedProtocol("part of the full protocol" if left_out else "full protocol", left_out)


def seeds(subject: ReportedSuite) -> int:
    """Return the number of seeds that claims are about, as promised."""
    return int(ordinary(subject.records, subject.suite)["seed"].nunique())


def quick_changes(text: str) -> list[str]:
    """Return what the table [quick] of a suite's text changes, one line a key."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
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
    """Return an entry of a table, or of a list of tables the one of this name."""
    if isinstance(base, Mapping):
        return base.get(name)
    if isinstance(base, Sequence) and not isinstance(base, str):
        tables = [table for table in base if isinstance(table, Mapping)]
        return next((table for table in tables if table.get("name") == name), None)
    return None


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _left_out(subject: ReportedSuite) -> Iterator[str]:
    """Yield what the command that made the runs left out of the suite, or added."""
    rows, suite = ordinary(subject.records, subject.suite), subject.suite
    if (found := seeds(subject)) != suite.seeds:
        yield f"seeds: {suite.seeds} in the suite, {found} promised"
    known = {*rows["recipe"].unique(), *(one.recipe for one in subject.plan.unsupported)}
    absent = [name for name in suite.recipes() if name not in known]
    if absent:
        listed_names = absent[:8] + ([f"{len(absent) - 8} more"] if len(absent) > 8 else [])
        yield f"recipes left out: {listed(listed_names)}"
