"""The one list of all techniques."""

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
"""Where techniques are defined, in the order in which they are listed."""


def techniques() -> Iterator[type[Technique]]:
    """Yield every technique known, in order of kind and definition."""
    for module in MODULES:
        for cls in vars(module).values():
            if _is_technique(cls) and cls.__module__ == module.__name__:
                yield cls


def _is_technique(cls: Any) -> bool:
    """Return whether a module's attribute is a technique with a name, not a base of some."""
    return (
        isinstance(cls, type)
        and issubclass(cls, Technique)
        and isinstance(cls.model_fields["name"].default, str)
    )


def technique_name(cls: type[Technique]) -> str:
    """Return the keyword a technique class has in a suite."""
    return str(cls.model_fields["name"].default)
