"""Counts the programs a suite needs at most: a backend that compiles more compiles some twice.

Recipes that differ only in numeric hyperparameters share their programs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from manyseeds.ledger.plan import Job
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.suite.suite import Suite

WAYS_TO_SCORE = 3
"""Prediction on any split; Monte Carlo samples; Monte Carlo samples of a smaller last block."""
WAYS_TO_LOOK = 3
"""Diagnostics: a gradient, and the activations in prediction and in training mode."""


def most_programs(suite: Suite, jobs: Iterable[Job]) -> int:
    """Return the most programs that jobs of a suite need on one backend.

    One for each kind of training and a few for each kind of network. Networks are of one kind if
    they have the same structure, data of the same shapes and the same number of lanes.
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
    """Yield each kind of program a phase needs, and how many of it."""
    structure = phase.network.structure()
    clipping = phase.clipping.name if phase.clipping else ""
    changed = tuple(technique.name for technique in phase.augmentation)
    yield (structure, phase.frozen, phase.optimizer.name, clipping, changed, phase.keep_zeros), 1
    yield ("diagnosed", structure, phase.frozen), WAYS_TO_LOOK if phase.diagnostics else 0
    yield ("scored", structure, phase.frozen), WAYS_TO_SCORE
    yield ("folded", structure), WAYS_TO_SCORE if recipe.fold else 0


def _shapes(phase: Phase) -> Hashable:
    task = phase.task
    return (task.dataset, task.valid, task.classes, task.train, phase.batch, phase.epochs > 0)
