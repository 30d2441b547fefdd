"""The import path and the environment of a worker: the parent's, without the user's own folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = "PYTHONPATH"
_HOME = str(Path(__file__).parents[2])
"""The folder that manyseeds was imported from."""


def worker_path() -> list[str]:
    """Return the import path of a worker.

    PYTHONPATH first, as it is now; then the parent's own path. The working folder and the folder of
    the parent's script are left out, where a `queue.py` would hide the standard library's, unless
    PYTHONPATH names them.
    """
    parts = os.environ.get(_VARIABLE, "").split(os.pathsep)
    named = [os.path.abspath(part) for part in parts if part]
    excluded = {"", os.getcwd(), _script_folder()}
    own = [entry for entry in map(str, sys.path) if entry not in excluded]
    home = [] if _HOME in own else [_HOME]
    return list(dict.fromkeys([*named, *home, *own]))


def worker_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the parent's environment with changes, without PYTHONPATH.

    A `sitecustomize` on PYTHONPATH would run before the worker's first line.
    """
    environment = {**os.environ, **changes}
    environment.pop(_VARIABLE, None)
    return environment


def _script_folder() -> str:
    """Return the folder of the script this process runs, which Python puts on the path."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(os.path.abspath(script)) if script else ""
