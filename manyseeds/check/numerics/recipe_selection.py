"""Selects the recipes that a check follows: a few of the parity kit that cover all of it.

Following a recipe mostly means compiling, so a check follows as few recipes as will do: together
they have every technique, and every setting that some recipe changes from its default.
`manyseeds check --thorough` follows all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import models, used

Parts = frozenset[tuple[str, ...]]

ALWAYS = ("kinks_sgd",)
"""Recipes in the kit for the values they reach, which no setting shows."""


def covering(recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of a few recipes that together have every part of all, in their order.

    By the greedy algorithm, most new parts per layer first (Chvátal 1979, "A greedy heuristic for
    the set-covering problem"), without the recipes that the others turn out to cover.
    """
    parts = {name: parts_of(recipe) for name, recipe in recipes.items()}
    layers = {name: sum(len(p.network.layers) for p in r.phases) for name, r in recipes.items()}
    chosen = [name for name in ALWAYS if name in recipes]
    missing = set().union(*parts.values()).difference(*(parts[name] for name in chosen))
    while missing:
        best = max(parts, key=lambda name: len(parts[name] & missing) / layers[name])
        chosen.append(best)
        missing -= parts[best]
    for name in sorted(chosen, key=lambda name: -layers[name]):
        others = set().union(*(parts[other] for other in chosen if other != name))
        if name not in ALWAYS and parts[name] <= others:
            chosen.remove(name)
    return [name for name in recipes if name in chosen]


def parts_of(recipe: Recipe) -> Parts:
    """Return a recipe's techniques, the settings it changes, and its tasks."""
    tasks = {("task", phase.task.name) for phase in recipe.phases}
    techniques = {("technique", *technique) for technique in used(recipe)}
    return frozenset(techniques | tasks | {*_settings(recipe)})


def _settings(recipe: Recipe) -> Iterator[tuple[str, ...]]:
    """Yield the model and field of every value that is not the field's default."""
    for _, model in models(recipe):
        for name, field in type(model).model_fields.items():
            default = field.get_default(call_default_factory=True)
            if not field.is_required() and getattr(model, name) != default:
                yield type(model).__name__, name
