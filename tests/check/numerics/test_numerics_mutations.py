"""Fewer steps than the parity kit follows, and fingerprints: every mutation is noticed still."""

import pytest

from manyseeds.check.numerics.layer import follow_on, steps_of
from manyseeds.check.numerics.parting import Differences
from manyseeds.conformance.mutations import mutations
from manyseeds.conformance.outcome import parity_recipes

RECIPES = parity_recipes()


@pytest.mark.slow
def test_every_mutation_is_noticed_in_the_fingerprints():
    mutated = mutations(RECIPES)
    steps = {m.mutated: steps_of(RECIPES[m.recipe]) for m in mutated}
    wanted = RECIPES | {m.name: m.mutated for m in mutated}
    ((_, followed, refused),) = follow_on(
        {"numpy": wanted}, "cpu", steps=lambda recipe: steps.get(recipe) or steps_of(recipe)
    )
    assert not followed.failures
    assert not refused
    missed = []
    for mutation in mutated:
        phases = tuple(phase.name for phase in RECIPES[mutation.recipe].phases)
        ours, theirs = followed.prints[mutation.name], followed.prints[mutation.recipe]
        if Differences(ours, theirs, phases).comparison.same:
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
