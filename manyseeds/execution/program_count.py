"""How many programs a suite may need: a backend that compiles more compiles the same twice.

Programs are kept by structure: recipes that differ in real numbers alone share theirs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from manyseeds.ledger.plan import Job
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.suite.suite import Suite

WAYS_TO_SCORE = 3
"""As the network predicts, whatever the split; samples with dropout on; those of a last block."""
WAYS_TO_LOOK = 3
"""Diagnostics: a gradient, and what leaves the layers in prediction and in training."""


def most_programs(suite: Suite, jobs: Iterable[Job]) -> int:
    """Return how many programs jobs of a suite on one backend need at most.

    One for each kind of training, and a few for each kind of network: of a kind are those of the
    same structure, on data of the same shapes, with as many lanes.
    """
    needed: dict[Hashable, int] = {}
    for job in jobs:
        recipe = suite.recipe(job.recipe, job.case)
        for phase in recipe.phases:
            for kind, count in _kinds(recipe, phase):
                key = (kind, _shapes(phase), len(job.seeds))
                needed[key] = max(needed.get(key, 0), count)
    return sum(needed.values())


def _kinds(recipe: Recipe, phase: Phase) -> Iterator[tuple[Hashable, int]]:
    """Yield what a phase has compiled, and how many programs that is."""
    structure = phase.network.structure()
    clipping = phase.clipping.name if phase.clipping else ""
    changed = tuple(each.name for each in phase.augmentation)
    yield (structure, phase.frozen, phase.optimizer.name, clipping, changed, phase.keep_zeros), 1
    yield ("diagnosed", structure, phase.frozen), WAYS_TO_LOOK if phase.diagnostics else 0
    yield ("scored", structure, phase.frozen), WAYS_TO_SCORE
    yield ("folded", structure), WAYS_TO_SCORE if recipe.fold else 0


def _shapes(phase: Phase) -> Hashable:
    task = phase.task
    return (task.dataset, task.valid, task.classes, task.train, phase.batch, phase.epochs > 0)
