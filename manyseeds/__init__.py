"""manyseeds: how much of a deep-learning claim is luck, in PyTorch, TensorFlow and JAX.

The functions here do what the commands do and return pandas frames:

>>> import manyseeds
>>> manyseeds.list_datasets()["name"].tolist()
['fashion-mnist', 'fashion-mnist-12k', 'mnist', 'digits', 'gaussian']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    """Import a function when it is first used, so that `manyseeds --help` stays fast."""
    if name not in __all__:
        raise AttributeError(f"module 'manyseeds' has no attribute {name!r}")
    return getattr(importlib.import_module("manyseeds.api"), name)
