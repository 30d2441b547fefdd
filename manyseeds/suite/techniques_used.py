"""Which techniques a recipe uses, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from manyseeds.model import Model
from manyseeds.suite.recipe import Recipe
from manyseeds.techniques.technique import Technique

Place = tuple[str | int, ...]


def models(value: Any, place: Place = ()) -> Iterator[tuple[Place, Model]]:
    """Yield every model in a value, itself included, with its place."""
    if isinstance(value, Model):
        yield place, value
        for name, inner in value:
            yield from models(inner, (*place, name))
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from models(inner, (*place, index))


def used(recipe: Recipe) -> frozenset[tuple[str, str]]:
    """Return kind and name of every technique a recipe uses."""
    return frozenset(
        (model.kind, model.name) for _, model in models(recipe) if isinstance(model, Technique)
    )
