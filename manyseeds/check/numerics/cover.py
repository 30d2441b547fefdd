"""The recipes that a check follows: the cheapest of the parity kit that have everything in it.

Compiling takes most of the time of following a recipe, so a check follows as few as will do: every
technique, and every setting that some recipe of the kit changes from its default, is in one of
them. `manyseeds check --thorough` follows all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import models, used

Parts = frozenset[tuple[str, ...]]

ALWAYS = ("kinks_sgd",)
"""Recipes that are there for the values they reach, which no setting tells."""


def covering(recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of few recipes, in their order, that have every part of all of them.

    By the greedy algorithm, the most new parts for a layer first (Chvátal 1979, "A greedy heuristic
    for the set-covering problem"), less what turns out to be covered by the others.
    """
    parts = {name: parts_of(recipe) for name, recipe in recipes.items()}
    layers = {name: sum(len(p.network.layers) for p in r.phases) for name, r in recipes.items()}
    chosen = [name for name in ALWAYS if name in recipes]
    todo = set().union(*parts.values()).difference(*(parts[name] for name in chosen))
    while todo:
        best = max(parts, key=lambda name: len(parts[name] & todo) / layers[name])
        chosen.append(best)
        todo -= parts[best]
    for name in sorted(chosen, key=lambda name: -layers[name]):
        others = set().union(*(parts[other] for other in chosen if other != name))
        if name not in ALWAYS and parts[name] <= others:
            chosen.remove(name)
    return [name for name in recipes if name in chosen]


def parts_of(recipe: Recipe) -> Parts:
    """Return a recipe's techniques, the settings it changes, and its tasks."""
    tasks = {("task", phase.task.name) for phase in recipe.phases}
    return frozenset({("technique", *each) for each in used(recipe)} | tasks | {*_changed(recipe)})


def _changed(recipe: Recipe) -> Iterator[tuple[str, ...]]:
    """Yield model and field of every value that is not the field's default."""
    for _, model in models(recipe):
        for name, field in type(model).model_fields.items():
            default = field.get_default(call_default_factory=True)
            if not field.is_required() and getattr(model, name) != default:
                yield type(model).__name__, name
