"""Variants of a recipe that could undo a change.

In each, one hyperparameter is scaled, one technique replaced by a sibling or left out, or one
convention flipped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from manyseeds.check.numerics.differences import FirstDifference
from manyseeds.conformance.mutations import changed_at, siblings
from manyseeds.model import Model
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.suite.techniques_used import Place, models
from manyseeds.techniques.registry import technique_name
from manyseeds.techniques.technique import Technique

FACTORS = (10.0, 0.1, 1.01, 1 / 1.01, 1 / 0.99, 0.99, 2.0, 0.5)
MOST_VARIANTS = 60
MOST_STRUCTURES = 6
"""The most variants that need programs of their own, which take seconds to compile."""

_TO_BLAME: Mapping[str, frozenset[str]] = {
    "first": frozenset({"initialiser"}),
    "images": frozenset({"augmentation"}),
    "rate": frozenset({"schedule", "phase"}),
    "momentum": frozenset({"schedule", "optimizer"}),
    "loss": frozenset({"activation", "layer", "regularisation"}),
    "penalty": frozenset({"regularisation"}),
    "gradient": frozenset({"activation", "layer", "regularisation"}),
    "averages": frozenset({"layer"}),
    "moved": frozenset({"optimizer", "clipping", "regularisation", "phase"}),
    "weights": frozenset({"pruning", "regularisation"}),
    "scores": frozenset({"layer", "activation"}),
    "length": frozenset({"regularisation"}),
}
"""Kinds of techniques that can be to blame, by the kind of the first difference."""


@dataclass(frozen=True)
class Variant:
    """A recipe with one change, made everywhere it has the technique.

    Attributes
    ----------
    change
        The change in words: "adam.epsilon × 10".
    structural
        Whether a backend may have to compile a new program for it.
    """

    change: str
    recipe: Recipe
    structural: bool


def variants(recipe: Recipe, difference: FirstDifference) -> Iterator[Variant]:
    """Yield a bounded number of variants that could undo a change, the likeliest first."""
    kinds = _TO_BLAME.get(difference.kind, frozenset())
    by_change: dict[str, Variant] = {}
    for (owner, kind), places in _owners(recipe).items():
        if kind in kinds:
            for change, values, structural in _changes(owner, places):
                if changed := _with_values(recipe, values):
                    by_change.setdefault(change, Variant(change, changed, structural))
    numeric = [variant for variant in by_change.values() if not variant.structural]
    compiled = [variant for variant in by_change.values() if variant.structural]
    yield from itertools.islice(numeric, MOST_VARIANTS)
    yield from itertools.islice(compiled, MOST_STRUCTURES)


_Places = dict[Place, Model]
_Values = dict[Place, Any]


def _owners(recipe: Recipe) -> dict[tuple[str, str], _Places]:
    """Return the places of each technique, and of the phases, by name and kind."""
    owners: dict[tuple[str, str], _Places] = {}
    for place, model in models(recipe):
        if isinstance(model, Technique):
            owners.setdefault((model.name, model.kind), {})[place] = model
        elif isinstance(model, Phase):
            owners.setdefault(("phase", "phase"), {})[place] = model
    return owners


def _changes(owner: str, places: _Places) -> Iterator[tuple[str, _Values, bool]]:
    """Yield changes in words, the values to set, and whether the change is structural."""
    first = next(iter(places.values()))
    for field, value in first:
        here = {(*place, field): getattr(model, field) for place, model in places.items()}
        if isinstance(value, float):
            for factor in FACTORS:
                scaled = {where: number * factor for where, number in here.items()}
                yield f"{owner}.{field} × {factor:.4g}", scaled, False
        elif _counts_time(first, value):
            for by in (1, -1):
                shifted = {where: _shifted(count, by) for where, count in here.items()}
                yield f"{owner}.{field} {by:+}", shifted, False
        elif isinstance(value, bool):
            flipped = {where: not flag for where, flag in here.items()}
            yield f"{owner}.{field} → {not value}", flipped, True
        elif isinstance(value, str) and field not in ("name", "label", "of"):
            for choice in _choices(type(first), field):
                if choice != value:
                    yield f"{owner}.{field} → {choice}", dict.fromkeys(here, choice), True
    if isinstance(first, Technique):
        yield from _replaced(owner, places, type(first))


def _counts_time(model: Model, value: Any) -> bool:
    """Return whether a value counts steps or epochs; other whole numbers are structure."""
    timed = isinstance(model, Technique) and model.kind in ("schedule", "regularisation")
    values = value if isinstance(value, tuple) else (value,)
    return timed and {type(count) for count in values} == {int}


def _shifted(value: Any, by: int) -> Any:
    return tuple(count + by for count in value) if isinstance(value, tuple) else value + by


def _replaced(
    owner: str, places: _Places, cls: type[Technique]
) -> Iterator[tuple[str, _Values, bool]]:
    """Yield replacements by siblings, those with the same hyperparameters first, then by nothing.

    Hyperparameters that the recipe sets are carried over. Defaults are not: they are often the only
    difference between siblings.
    """
    own = set(cls.model_fields)
    alike = sorted(siblings(cls), key=lambda sibling: set(sibling.model_fields) != own)
    for sibling in alike:
        if sibling is not cls:
            name = technique_name(sibling)
            values = {
                place: {"name": name} | _non_default(model, sibling.model_fields)
                for place, model in places.items()
            }
            yield f"{owner} → {name}", values, True
    yield f"{owner} off", dict.fromkeys(places, None), True


def _non_default(model: Model, fields: Collection[str]) -> dict[str, Any]:
    """Return those of these fields of a model that do not have their default."""
    defaults = {name: field.default for name, field in type(model).model_fields.items()}
    return {
        name: value
        for name, value in model
        if name in fields and name != "name" and value != defaults[name]
    }


def _choices(model: type[Model], field: str) -> tuple[str, ...]:
    """Return the values that a field may have, if it is one of a few words."""
    annotation = model.model_fields[field].annotation
    return get_args(annotation) if get_origin(annotation) is not None else ()


def _with_values(recipe: Recipe, values: _Values) -> Recipe | None:
    """Return the recipe with these values; None if it would be invalid or the same."""
    document: Any = recipe.model_dump()
    for place, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            return None
        document = changed_at(document, place, value)
    try:
        changed = Recipe.model_validate(document)
    except ValidationError:
        return None
    return None if changed == recipe else changed
