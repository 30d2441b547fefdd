"""The recipes of the parity kit, read from `recipes.toml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources import files

from manyseeds.errors import RequestError, unknown
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe

LANES = 3
"""Seeds 0, 1 and 2 of every recipe are followed, each in a lane."""


def parity_recipes() -> dict[str, Recipe]:
    """Return the recipes of the kit, by name."""
    text = (files("manyseeds.conformance") / "recipes.toml").read_text(encoding="utf-8")
    suite = parse_suite(text, "manyseeds/conformance/recipes.toml")
    return {cell.recipe.name: cell.recipe for cell in suite.cells}


def named_recipes(recipes: Mapping[str, Recipe], names: Collection[str]) -> dict[str, Recipe]:
    """Return the recipes with these names, in the order of `recipes`.

    Raises
    ------
    RequestError
        A name is not that of a recipe.
    """
    for name in names:
        if name not in recipes:
            raise RequestError(f"--recipe: {unknown('parity recipe', name, recipes)}")
    return {name: recipe for name, recipe in recipes.items() if name in names}
