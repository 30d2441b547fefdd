"""Generates mutations: recipes that are changed in one place.

Every real number of every technique is multiplied by 1.01, and every convention flipped: a
technique is left out or replaced by the next of its kind, a bias left out, another allowed word
chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from manyseeds.model import Model
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import Place, models
from manyseeds.techniques.registry import technique_name, techniques
from manyseeds.techniques.technique import Technique

FACTOR = 1.01
_NOT_TRAINED = {"initialiser", "task", "early_stopping", "monte_carlo"}
_NAMES = {"name", "label", "of"}


@dataclass(frozen=True)
class Mutation:
    """A recipe changed in one place.

    Attributes
    ----------
    recipe
        The name of the recipe that was changed.
    subject
        The technique and field that were changed: "momentum.momentum", "nesterov".
    change
        The change: "× 1.01", "→ momentum", "off".
    mutated
        The changed recipe.
    """

    recipe: str
    subject: str
    change: str
    mutated: Recipe

    @property
    def name(self) -> str:
        """The mutation's name."""
        return f"{self.recipe}: {self.subject} {self.change}"


def mutations(recipes: Mapping[str, Recipe]) -> list[Mutation]:
    """Return one mutation of every hyperparameter and convention, in the first recipe that has it.

    Initialisers and data are not changed, because no backend computes them; neither are whole
    numbers (units, epochs, batch), which are structure rather than hyperparameters.
    """
    first: dict[tuple[str, str], Mutation] = {}
    for name, recipe in recipes.items():
        for mutation in all_mutations(name, recipe):
            first.setdefault((mutation.subject, mutation.change), mutation)
    return list(first.values())


def all_mutations(name: str, recipe: Recipe) -> Iterator[Mutation]:
    """Yield every mutation of one recipe."""
    document = recipe.model_dump()
    for place, model in models(recipe):
        if _NOT_TRAINED.isdisjoint(place):
            for subject, change, where, values in _changes(place, model):
                mutated = _first_valid(document, where, values)
                if mutated is not None and mutated != recipe:
                    yield Mutation(name, subject, change, mutated)


_Change = tuple[str, str, Place, list[Any]]
"""Subject and change in words, the place, and the values to try until one is valid."""


def _changes(place: Place, model: Model) -> Iterator[_Change]:
    owner = model.name if isinstance(model, Technique) else type(model).__name__.lower()
    for field, value in model:
        where = (*place, field)
        if field in _NOT_TRAINED:
            continue
        if isinstance(value, float):
            # The product may be out of range: a beta of 0.999 is divided instead.
            yield f"{owner}.{field}", f"× {FACTOR}", where, [value * FACTOR, value / FACTOR]
        elif isinstance(value, tuple) and value and isinstance(value[0], float):
            yield f"{owner}.{field}", f"× {FACTOR}", where, [tuple(v * FACTOR for v in value)]
        elif field == "bias" or (field == "keep_zeros" and value):
            yield f"{owner}.{field}", f"→ {not value}", where, [not value]
        elif isinstance(value, str) and field not in _NAMES:
            for other in _other_words(type(model), field, value):
                yield f"{owner}.{field}", f"→ {other}", where, [other]
        elif isinstance(value, Technique):
            yield from _replacements(type(model), field, value, where)
        elif field == "layers":
            for index, layer in enumerate(value):
                if layer.name != "dense":
                    yield layer.name, "off", where, [_without(value, index)]


def _other_words(model: type[Model], field: str, value: str) -> list[str]:
    annotation = model.model_fields[field].annotation
    words = get_args(annotation) if get_origin(annotation) is Literal else ()
    return [word for word in words if word != value]


def _replacements(
    model: type[Model], field: str, value: Technique, where: Place
) -> Iterator[_Change]:
    """Yield the next technique of the kind, and no technique if the field may be empty."""
    if model.model_fields[field].default is None:
        yield value.name, "off", where, [None]
    if value.name == "softmax":
        return  # the loss of several classes needs it
    names = [technique_name(cls) for cls in siblings(type(value))]
    at = names.index(value.name)
    following = [name for name in names[at + 1 :] + names[:at] if name != "softmax"]
    if following:
        yield value.name, "→ the next of its kind", where, [{"name": n} for n in following]


def siblings(cls: type[Technique]) -> list[type[Technique]]:
    """Return the techniques that can replace one of this class, itself included."""
    return [other for other in techniques() if _base(other) is _base(cls)]


def _base(cls: type[Technique]) -> type:
    """Return the direct subclass of `Technique` that the techniques of one union share."""
    lineage = cls.__mro__
    return lineage[lineage.index(Technique) - 1]


def _without(layers: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return tuple(layer.model_dump() for n, layer in enumerate(layers) if n != index)


def _first_valid(document: Any, place: Place, values: list[Any]) -> Recipe | None:
    for value in values:
        try:
            return Recipe.model_validate(changed_at(document, place, value))
        except ValidationError:
            continue
    return None


def changed_at(document: Any, place: Place, value: Any) -> Any:
    """Return a document of dictionaries and tuples with a new value at a place."""
    if not place:
        return value
    first, rest = place[0], place[1:]
    if isinstance(document, dict):
        return {**document, first: changed_at(document[first], rest, value)}
    return tuple(
        changed_at(item, rest, value) if index == first else item
        for index, item in enumerate(document)
    )
