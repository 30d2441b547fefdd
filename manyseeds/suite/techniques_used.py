"""The techniques that a recipe uses, and their places in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from manyseeds.model import Model
from manyseeds.suite.recipe import Recipe
from manyseeds.techniques.technique import Technique

Place = tuple[str | int, ...]
"""The fields and indices that lead from a value to a part of it."""


def models(value: Any, place: Place = ()) -> Iterator[tuple[Place, Model]]:
    """Yield every model within a value, the value included, with its place."""
    if isinstance(value, Model):
        yield place, value
        for name, inner in value:
            yield from models(inner, (*place, name))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from models(inner, (*place, index))


def used(recipe: Recipe) -> frozenset[tuple[str, str]]:
    """Return kind and name of every technique that a recipe uses."""
    return frozenset(
        (model.kind, model.name) for _, model in models(recipe) if isinstance(model, Technique)
    )
