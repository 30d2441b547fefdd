"""The recipes that a check follows cover the whole parity kit, and none is superfluous."""

import pytest

from manyseeds.check.numerics.recipe_selection import ALWAYS, covering, parts_of
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.suite.techniques_used import used

RECIPES = parity_recipes()


def every(names):
    return set().union(*(parts_of(RECIPES[name]) for name in names))


def test_a_few_recipes_have_every_technique_and_setting_of_all():
    chosen = covering(RECIPES)
    assert every(chosen) == every(RECIPES)
    techniques = set().union(*map(used, RECIPES.values()))
    assert {part[1:] for part in every(chosen) if part[0] == "technique"} == techniques
    assert len(chosen) < 0.75 * len(RECIPES)
    assert chosen == [name for name in RECIPES if name in chosen]


@pytest.mark.parametrize("name", [n for n in covering(RECIPES) if n not in ALWAYS])
def test_none_of_them_can_be_left_out(name):
    assert every(set(covering(RECIPES)) - {name}) != every(RECIPES)


@pytest.mark.parametrize("gone", ["selu_piecewise", "transfer_mapped"])
def test_a_recipe_is_followed_for_a_part_of_its_own_and_left_out_if_another_has_it(gone):
    assert gone in covering(RECIPES)
    twice = RECIPES | {"again": RECIPES[gone].model_copy(update={"name": "again"})}
    assert len(covering(twice)) == len(covering(RECIPES))


def test_a_setting_is_a_part_only_where_it_is_not_the_default():
    assert ("Phase", "clipping") in parts_of(RECIPES["relu_clip_value"])
    assert ("Phase", "clipping") not in parts_of(RECIPES["selu_glorot_sgd"])
    assert ("task", "partial") in every(covering(RECIPES))
