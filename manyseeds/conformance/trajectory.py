"""A trajectory: what a recipe does to a backend's weights, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend import Backend, Batch, EpochPlan, Splits, TrainingCohort
from manyseeds.datasets import task_splits
from manyseeds.recipe import Phase, Recipe
from manyseeds.training import Lanes, State, Timetable, first_weights

Trajectory = Mapping[str, NDArray[np.float64]]
"""Arrays by name, the lane first: "PHASE/loss" [lanes, steps], "PHASE/gradient/LAYER/VARIABLE"
[lanes, steps, ...], "PHASE/weights/LAYER/VARIABLE" [lanes, ...], "PHASE/valid_loss" [lanes]."""


def follow(backend: Backend, recipe: Recipe, lanes: Lanes, steps: int) -> Trajectory:
    """Train a recipe for `steps` steps, shared out among its phases, and note everything."""
    state, found = State.start(len(lanes)), {}
    for number, phase in enumerate(recipe.phases):
        data = task_splits(phase.task, "float64")
        cohort = backend.cohort(phase.network, data, len(lanes))
        share = steps // len(recipe.phases) + (number < steps % len(recipe.phases))
        for name, values in _follow_phase(cohort, phase, state, data, lanes, share).items():
            found[f"{phase.name}/{name}"] = values
        state = _after(state, phase, cohort, share)
    return found


def _follow_phase(
    cohort: TrainingCohort, phase: Phase, state: State, data: Splits, lanes: Lanes, steps: int
) -> dict[str, NDArray[Any]]:
    cohort.begin(phase, first_weights(phase, state, lanes, data.train.inputs.shape[1]))
    timetable = Timetable.of(phase, state, lanes, len(data.train))
    losses, gradients = [], []
    for plan in single_steps(timetable, steps):
        batch = Batch(rows=plan.order, noise=plan.noise, step=plan.step)
        gradients.append(cohort.gradient(batch))
        losses.append(cohort.train(plan).loss)
    scores = cohort.evaluate("valid", ("loss",))
    return {
        "loss": np.concatenate(losses, axis=1),
        "valid_loss": scores.metrics["loss"],
        **{f"gradient/{n}": np.stack([g[n] for g in gradients], axis=1) for n in gradients[0]},
        **{f"weights/{name}": np.asarray(v) for name, v in cohort.weights().items()},
    }


def single_steps(timetable: Timetable, steps: int) -> Iterator[EpochPlan]:
    """Yield the phase's first steps as plans of one step each."""
    never_validated = np.full((0, len(timetable.lanes)), np.inf)
    for number in range(steps):
        epoch, step = divmod(number, timetable.steps)
        plan = timetable.plan(epoch, never_validated)
        rows = slice(step * plan.batch, (step + 1) * plan.batch)
        here = slice(step, step + 1)
        yield replace(
            plan,
            order=plan.order[:, rows],
            rate=plan.rate[:, here],
            momentum=None if plan.momentum is None else plan.momentum[:, here],
            step=plan.step + step,
        )


def _after(state: State, phase: Phase, cohort: TrainingCohort, steps: int) -> State:
    task, network = phase.task.name, phase.network.name
    return replace(
        state,
        phases=state.phases + 1,
        weights=cohort.weights(),
        epochs_on_task={**state.epochs_on_task, task: state.epochs_on_task.get(task, 0) + 1},
        steps_of_network={
            **state.steps_of_network,
            network: state.steps_of_network.get(network, 0) + steps,
        },
    )
