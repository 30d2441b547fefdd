"""The promise of each job, against which its rows are checked: how many, of what recipe, how long.

What depends on the recipe is known only if this version of manyseeds reads the run's suite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manyseeds.ledger.plan import Job, Plan
from manyseeds.ledger.schemas import Kind
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.suite.suite import Suite
from manyseeds.techniques.schedules import RangeTest

UNKNOWN = 1_000_000
"""The most rows of a lane, epochs, or training examples, where the recipe or data are unknown."""

_QUANTITIES = 7
"""Quantities that are diagnosed of a layer (`manyseeds.execution.diagnostics`)."""

_STEP_QUANTITIES = 3
"""Quantities that a range test records at every step."""


@dataclass(frozen=True)
class Promise:
    """The promise of a job.

    Attributes
    ----------
    job
        The job, with its rows.
    phases
        The names of the recipe's phases; None where the recipe is unknown.
    epochs
        The most epochs that a lane can have.
    steady
        Whether every lane that does not diverge has all the epochs of its training.
    fingerprint
        The recipe's hash as this version of manyseeds makes it; None where it is unknown.
    classifies
        Whether the last network tells classes apart, and so has an accuracy.
    most
        The most rows in one file of the job, by kind.
    """

    job: Job
    phases: frozenset[str] | None
    epochs: int
    steady: bool
    fingerprint: str | None
    classifies: bool
    most: Mapping[Kind, int]


def promises(plan: Plan, suite: Suite | None) -> dict[int, Promise]:
    """Return the promise of every job, by its number.

    Parameters
    ----------
    suite
        The plan's suite; None if this version of manyseeds cannot read it.
    """
    recipes: dict[tuple[str, str], _Facts] = {}
    made: dict[int, Promise] = {}
    for job in plan.jobs:
        key = job.recipe, job.case
        if key not in recipes:
            recipes[key] = _facts(suite.recipe(*key)) if suite else _NOTHING_KNOWN
        facts, lanes = recipes[key], len(job.seeds)
        made[job.id] = Promise(
            job=job,
            phases=facts.phases,
            epochs=facts.epochs,
            steady=facts.steady,
            fingerprint=facts.fingerprint,
            classifies=facts.classifies,
            most={
                "records": lanes,
                "curves": lanes * facts.epochs,
                "diagnostics": lanes * facts.diagnoses,
            },
        )
    return made


@dataclass(frozen=True)
class _Facts:
    """The facts about a recipe that its rows are checked against."""

    phases: frozenset[str] | None
    epochs: int
    steady: bool
    fingerprint: str | None
    classifies: bool
    diagnoses: int


_NOTHING_KNOWN = _Facts(
    phases=None,
    epochs=UNKNOWN,
    steady=False,
    fingerprint=None,
    classifies=False,
    diagnoses=UNKNOWN,
)


def _facts(recipe: Recipe) -> _Facts:
    return _Facts(
        phases=frozenset(phase.name for phase in recipe.phases),
        epochs=sum(phase.epochs for phase in recipe.phases),
        steady=all(phase.early_stopping is None for phase in recipe.phases),
        fingerprint=recipe.fingerprint(),
        classifies=recipe.phases[-1].network.loss != "mean_squared_error",
        diagnoses=sum(_most_diagnoses(phase) for phase in recipe.phases),
    )


def _most_diagnoses(phase: Phase) -> int:
    """Return the most diagnostics of a lane in a phase."""
    layers = len(phase.network.layers) * _QUANTITIES * (phase.epochs + 1)
    examples = phase.task.train or UNKNOWN
    steps = _STEP_QUANTITIES * phase.epochs * -(-examples // phase.batch)
    return (layers if phase.diagnostics else 0) + (
        steps if isinstance(phase.schedule, RangeTest) else 0
    )
