"""The import path and the environment of a worker: the parent's, without the user's own folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

_VARIABLE = "PYTHONPATH"
_HOME = str(Path(__file__).parents[2])
"""The folder that manyseeds was imported from."""

_LEFT_OUT = (
    _VARIABLE,  # a `sitecustomize` on it would run before the worker's first line
    "PYTHONBREAKPOINT",
    "PYTHONDEVMODE",
    "PYTHONINSPECT",
    "PYTHONMALLOC",
    "PYTHONOPTIMIZE",
    "PYTHONSTARTUP",
    "PYTHONTRACEMALLOC",
    "PYTHONWARNINGS",  # "error" would make a library's remark the end of the worker
    "NPY_*",  # NumPy's choice of instructions, and with it the last digits
    "OPENBLAS_CORETYPE",
    "MPLBACKEND",
    "MATPLOTLIBRC",
)
"""Variables, and patterns of them, that a worker does not inherit: they change what Python and the
harness's own libraries do. A backend leaves out those of its framework when it is opened."""

_SET = {"PYTHONIOENCODING": "utf-8:backslashreplace"}
"""Variables of every worker: its log can take any character."""


def worker_path() -> list[str]:
    """Return the import path of a worker.

    PYTHONPATH first, as it is now; then the parent's own path. The working folder and the folder of
    the parent's script are left out, where a `queue.py` would hide the standard library's, unless
    PYTHONPATH names them.
    """
    parts = os.environ.get(_VARIABLE, "").split(os.pathsep)
    named = [_absolute(part) for part in parts if part]
    excluded = {"", _working_folder(), _script_folder()}
    own = [entry for entry in map(str, sys.path) if entry not in excluded]
    home = [] if _HOME in own else [_HOME]
    return list(dict.fromkeys([*named, *home, *own]))


def worker_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return the parent's environment with changes, without variables that would change results."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not any(fnmatchcase(name, pattern) for pattern in _LEFT_OUT)
    }
    return {**inherited, **_SET, **changes}


def _working_folder() -> str:
    """Return the working folder; "" if it has been removed."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return ""


def _script_folder() -> str:
    """Return the folder of the script this process runs, which Python puts on the path."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.dirname(_absolute(script)) if script else ""


def _absolute(path: str) -> str:
    """Return a path in full; as it is, if the working folder has been removed."""
    with contextlib.suppress(OSError):
        return os.path.abspath(path)
    return path
