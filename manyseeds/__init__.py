"""manyseeds: how much of a deep-learning claim is luck, in PyTorch, TensorFlow and JAX.

The functions here do what the commands do and return pandas frames:

>>> import manyseeds
>>> manyseeds.list_datasets()["name"].tolist()
['fashion-mnist', 'fashion-mnist-12k', 'mnist', 'digits', 'gaussian']
"""

from __future__ import annotations

import importlib

# `python -m manyseeds` comes here first, while the working folder is still where modules are looked
# for: nothing is imported that Python has not loaded already. Type checkers read this as true.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from manyseeds.api import (
        claims,
        curves,
        detection,
        list_backends,
        list_datasets,
        list_suites,
        list_techniques,
        parity,
        records,
        render_report,
        run,
        summary,
        variance,
    )

__all__ = [
    "claims",
    "curves",
    "detection",
    "list_backends",
    "list_datasets",
    "list_suites",
    "list_techniques",
    "parity",
    "records",
    "render_report",
    "run",
    "summary",
    "variance",
]


def __dir__() -> list[str]:
    """Return the names that are there, those of functions not yet imported among them."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Import a function when it is first used, so that `manyseeds --help` stays fast."""
    if name not in __all__:
        raise AttributeError(f"module 'manyseeds' has no attribute {name!r}")
    importlib.import_module("manyseeds.processes.system").check_system()
    return getattr(importlib.import_module("manyseeds.api"), name)
