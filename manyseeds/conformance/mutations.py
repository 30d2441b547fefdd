"""Mutations: a recipe with one numeric hyperparameter changed by 1 %, all of them generated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from manyseeds.recipe import Recipe

FACTOR = 1.01
_NOT_TRAINED = ("initialiser", "task", "early_stopping")


@dataclass(frozen=True)
class Mutation:
    """A recipe that differs in one place, such as "phases.0.optimizer.momentum"."""

    place: str
    recipe: Recipe


def mutations(recipe: Recipe) -> Iterator[Mutation]:
    """Yield the recipe with each numeric hyperparameter times 1.01.

    Where that is out of the hyperparameter's range (0.999 of a beta), it is divided by 1.01. What
    a backend does not compute, initialisers and data, is left alone; whole numbers (units,
    epochs, batch) are structure, not hyperparameters.
    """
    document = recipe.model_dump()
    for path, value in _numbers(document, ()):
        yield Mutation(".".join(map(str, path)), _changed(document, path, value))


def _numbers(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], float]]:
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NOT_TRAINED:
                yield from _numbers(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, (*path, index))


def _changed(document: Any, path: tuple[Any, ...], value: float) -> Recipe:
    try:
        return Recipe.model_validate(_with(document, path, value * FACTOR))
    except ValidationError:
        return Recipe.model_validate(_with(document, path, value / FACTOR))


def _with(document: Any, path: tuple[Any, ...], value: float) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(document, dict):
        return {**document, first: _with(document[first], rest, value)}
    return tuple(
        _with(item, rest, value) if index == first else item for index, item in enumerate(document)
    )
