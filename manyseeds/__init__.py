"""manyseeds: how much of a deep-learning claim is luck, in PyTorch, TensorFlow and JAX.

The functions here do what the commands do and return pandas frames:

>>> import manyseeds
>>> manyseeds.datasets()["name"].tolist()
['fashion-mnist', 'fashion-mnist-12k', 'digits']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyseeds.api import (
        backends,
        claims,
        curves,
        datasets,
        detection,
        parity,
        records,
        report,
        run,
        suites,
        summary,
        techniques,
        variance,
    )

__all__ = [
    "backends",
    "claims",
    "curves",
    "datasets",
    "detection",
    "parity",
    "records",
    "report",
    "run",
    "suites",
    "summary",
    "techniques",
    "variance",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is first used, so that `manyseeds --help` stays fast."""
    if name not in __all__:
        raise AttributeError(f"module 'manyseeds' has no attribute {name!r}")
    return getattr(importlib.import_module("manyseeds.api"), name)
