"""The list of all techniques, made from the modules that define them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from manyseeds.techniques import (
    activations,
    augmentation,
    clipping,
    early_stopping,
    initialisers,
    layers,
    monte_carlo,
    optimizers,
    regularisation,
    schedules,
)
from manyseeds.techniques.technique import Technique

MODULES = (
    initialisers,
    activations,
    layers,
    regularisation,
    clipping,
    optimizers,
    schedules,
    augmentation,
    early_stopping,
    monte_carlo,
)
"""The modules that define techniques, in the order of the list."""


def techniques() -> Iterator[type[Technique]]:
    """Yield every technique's class, module by module, in order of definition."""
    for module in MODULES:
        for cls in vars(module).values():
            if _is_technique(cls) and cls.__module__ == module.__name__:
                yield cls


def _is_technique(value: Any) -> bool:
    """Return whether a module's attribute is a technique's class, not a base class of some."""
    return (
        isinstance(value, type)
        and issubclass(value, Technique)
        and isinstance(value.model_fields["name"].default, str)
    )


def technique_name(cls: type[Technique]) -> str:
    """Return the keyword of a technique's class in a suite.

    >>> technique_name(optimizers.Adam)
    'adam'
    """
    return str(cls.model_fields["name"].default)
