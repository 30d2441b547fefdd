"""The origin of results: machine, versions, commit, data; one entry per session of a run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from manyseeds.backend.processor import processor
from manyseeds.datasets import dataset

_PACKAGES = ("manyseeds", "numpy", "scipy", "pandas", "pyarrow", "pydantic", "scikit-learn")


def session(datasets: Iterable[str]) -> dict[str, Any]:
    """Return the entry of a session that begins; the runner adds backends to it as they open.

    Parameters
    ----------
    datasets
        The names of the data sets that the session trains on.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["manyseeds", *map(_portable, sys.argv[1:])],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "versions": _versions(),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": _dirty(),
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


def _dirty() -> bool | None:
    """Return whether the clone has uncommitted changes of code or suites; None outside a clone."""
    changes = _git("status", "--porcelain", "--", "manyseeds", "backends", "suites")
    return None if changes is None else bool(changes)


def _git(*arguments: str) -> str | None:
    """Return git's output about the clone this package runs from, or None outside a clone."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
