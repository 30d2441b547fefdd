"""The versions under which rows were trained: those of a backend's packages, and of manyseeds.

They are part of what a result is: rows of different versions are pooled only where a person has
asked for it, and never without saying so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

Versions = Mapping[str, str]
"""The version of each package, by its name."""

_OWN = ("manyseeds", "numpy")
"""Packages outside the backend that make numbers: random streams, data, initial weights."""

AND = " and "
"""Joins the versions of a package, where rows of several were asked for."""


def versions_of(session: Mapping[str, Any], backend: str) -> dict[str, str]:
    """Return the versions with which a session trains on a backend; {} if it did not open it."""
    environment = session.get("backends", {}).get(backend)
    if environment is None:
        return {}
    own = {name: v for name, v in session.get("versions", {}).items() if name in _OWN}
    return {**own, **environment.get("versions", {})}


def trained_versions(
    sessions: Sequence[Mapping[str, Any]], records: pd.DataFrame
) -> dict[str, Versions]:
    """Return the versions under which the rows of each backend were trained.

    Parameters
    ----------
    sessions
        The provenance of the run.
    records
        Its records; `session` counts from 1. Where it is unknown, as in older runs, every session
        that opened the backend may have trained the row.

    Returns
    -------
    dict
        By backend; a package with several versions has them all, in order, joined by `AND`. A
        backend whose versions were not recorded is left out.
    """
    trained = records[records["status"].isin(["ok", "diverged"])]
    versions = {}
    for backend, rows in trained.groupby("backend", sort=False):
        numbers = set(rows["session"].dropna().astype(int))
        unknown = rows["session"].isna().any()
        counted = [
            own
            for number, session in enumerate(sessions, start=1)
            if (own := versions_of(session, str(backend))) and (unknown or number in numbers)
        ]
        if counted:
            versions[str(backend)] = _joined(counted)
    return versions


def _joined(versions: Sequence[Versions]) -> Versions:
    names = dict.fromkeys(name for own in versions for name in own)
    seen = {name: dict.fromkeys(own[name] for own in versions if name in own) for name in names}
    return {name: AND.join(values) for name, values in seen.items()}


def mixed(versions: Versions) -> dict[str, str]:
    """Return the packages of which rows were trained with several versions, and these."""
    return {name: version for name, version in versions.items() if AND in version}


def version_changes(then: Versions, now: Versions, word: str = "now") -> Iterator[str]:
    """Yield the packages whose versions differ.

    >>> list(version_changes({"jax": "0.9.2", "flax": "0.12"}, {"jax": "0.10.2", "flax": "0.12"}))
    ['jax 0.9.2, now 0.10.2']
    """
    for name in sorted({*then, *now}):
        before, after = then.get(name, "not there"), now.get(name, "not there")
        if before != after:
            yield f"{name} {before}, {word} {after}"


def latest_versions(sessions: Iterable[Mapping[str, Any]], backend: str) -> Versions | None:
    """Return the versions of the last session that opened a backend; None if none did."""
    opened = [own for session in sessions if (own := versions_of(session, backend))]
    return opened[-1] if opened else None
