"""Fewer steps than the parity kit follows, and fingerprints: every mutation is noticed still."""

import pytest

from manyseeds.check.numerics.differences import FingerprintDifferences
from manyseeds.check.numerics.measurement import follow_on, steps_of
from manyseeds.check.numerics.recipe_selection import covering
from manyseeds.conformance.mutations import mutations
from manyseeds.conformance.recipes import parity_recipes

RECIPES = parity_recipes()


@pytest.mark.parametrize(
    "followed",
    [
        pytest.param(list(RECIPES), id="the whole kit", marks=pytest.mark.slow),
        pytest.param(covering(RECIPES), id="what a check follows"),
    ],
)
def test_every_mutation_is_noticed_in_the_fingerprints(followed):
    """Of the first recipe that has what is mutated: a setting must matter where it is covered."""
    mutated = mutations({name: RECIPES[name] for name in followed})
    steps = {m.mutated: steps_of(RECIPES[m.recipe]) for m in mutated}
    wanted = RECIPES | {m.name: m.mutated for m in mutated}
    ((_, found, refused),) = follow_on(
        {"numpy": wanted}, "cpu", steps=lambda recipe: steps.get(recipe) or steps_of(recipe)
    )
    assert not found.failures
    assert not refused
    missed = []
    for mutation in mutated:
        phases = tuple(phase.name for phase in RECIPES[mutation.recipe].phases)
        ours, theirs = found.prints[mutation.name], found.prints[mutation.recipe]
        if FingerprintDifferences(ours, theirs, phases).comparison.same:
            missed.append(mutation.name)
    assert missed == []


@pytest.mark.parametrize("name", RECIPES)
def test_the_next_epoch_of_every_phase_is_begun(name):
    recipe = RECIPES[name]
    for number, phase in enumerate(recipe.phases):
        of_epoch = -(-phase.task.train // phase.batch)
        share = steps_of(recipe) // len(recipe.phases)
        share += number < steps_of(recipe) % len(recipe.phases)
        assert phase.early_stopping or share > of_epoch
