"""The origin of results: machine, versions, commit, data; one entry per session of a run."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from manyseeds.backend.processor import processor
from manyseeds.datasets import dataset
from manyseeds.ledger.clone import commit_of

_PACKAGES = ("manyseeds", "numpy", "scipy", "pandas", "pyarrow", "pydantic", "scikit-learn")


def session(datasets: Iterable[str]) -> dict[str, Any]:
    """Return the entry of a session that begins; the runner adds backends to it as they open.

    Parameters
    ----------
    datasets
        The names of the data sets that the session trains on.
    """
    commit = commit_of(Path(__file__).parents[2])
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["manyseeds", *map(_portable, sys.argv[1:])],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "versions": _versions(),
        "commit": commit.name,
        "dirty": commit.dirty,
        **({"commit_unknown": commit.unknown} if commit.unknown else {}),
        "datasets": {name: dict(dataset(name).sha256) for name in sorted(set(datasets))},
        "backends": {},
    }


def _portable(argument: str) -> str:
    """Return an argument without the folders of this machine, because ledgers are shared."""
    option, equals, value = argument.rpartition("=")
    path = Path(value)
    return f"{option}{equals}{path.name}" if path.is_absolute() else argument


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
