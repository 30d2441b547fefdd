"""Where results come from: machine, versions, commit, data. One entry a session of a run."""

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
    """Return what is known before a backend is opened; backends are added as they open."""
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
    """Return an argument without the folders of this machine: ledgers are passed on."""
    option, equals, value = argument.rpartition("=")
    path = Path(value)
    return f"{option}{equals}{path.name}" if path.is_absolute() else argument


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _dirty() -> bool | None:
    changes = _git("status", "--porcelain", "--", "manyseeds", "backends", "suites")
    return None if changes is None else bool(changes)


def _git(*arguments: str) -> str | None:
    """Return git's answer about the clone this package runs from, or None outside of one."""
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
