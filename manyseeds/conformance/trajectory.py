"""Follows a recipe on a backend, step by step, and returns its trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.protocols import Backend, Cohort, TrainingCohort
from manyseeds.backend.values import Batch, EpochPlan, Sampling, Splits
from manyseeds.datasets import TaskData
from manyseeds.execution.phase import pruned, train_phase
from manyseeds.execution.state import State
from manyseeds.execution.timetable import Timetable, first_weights, noise_keys
from manyseeds.randomness.lanes import Lanes
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.techniques.layers import AlphaDropout, BatchNorm, Dropout
from manyseeds.techniques.network import Network

Trajectory = Mapping[str, NDArray[np.float64]]
"""Arrays by name: "PHASE/loss" [lanes, steps], "PHASE/gradient/LAYER/VARIABLE" [lanes, steps, …],
"PHASE/weights/LAYER/VARIABLE" and "PHASE/scores/…" [lanes, …]."""

_SAMPLES = 3


def follow(backend: Backend, recipe: Recipe, lanes: Lanes, steps: int) -> Trajectory:
    """Train a recipe for `steps` steps, shared among its phases, and return everything computed."""
    state, task_data = State.start(len(lanes)), TaskData()
    trajectory: dict[str, NDArray[np.float64]] = {}
    for number, phase in enumerate(recipe.phases):
        data = task_data.splits(phase.task, "float64")
        cohort = backend.cohort(phase.network, data, len(lanes))
        share = steps // len(recipe.phases) + (number < steps % len(recipe.phases))
        if phase.early_stopping:
            state = train_phase(cohort, recipe, state, data, lanes, lambda progress: None)
            arrays = _trained_whole(state)
        else:
            arrays = _follow_phase(cohort, phase, state, data, lanes, share)
            state = state.after(phase, pruned(phase, cohort.weights()), epochs=1, steps=share)
        # The state has the weights after pruning, the cohort those before.
        arrays |= {f"weights/{name}": np.asarray(v) for name, v in state.weights.items()}
        trajectory |= {f"{phase.name}/{name}": values for name, values in arrays.items()}
    return trajectory


def _trained_whole(state: State) -> dict[str, NDArray[Any]]:
    """Return the curves and best epochs of a phase that was trained under early stopping."""
    curves = {
        name: np.stack([curve.values[name] for curve in state.curves], axis=1)
        for name in ("train_loss", "valid_loss")
    }
    stopped = np.isnan(curves["train_loss"])
    return {
        "loss": np.where(stopped, 0, curves["train_loss"]),
        "scores/valid_loss": np.where(stopped, 0, curves["valid_loss"]),
        "scores/best_epoch": state.best_epoch.astype(np.float64),
    }


def _follow_phase(
    cohort: Cohort, phase: Phase, state: State, data: Splits, lanes: Lanes, steps: int
) -> dict[str, NDArray[Any]]:
    cohort.begin(phase, first_weights(phase, state, lanes, data.train.inputs.shape[1]))
    timetable = Timetable.of(phase, state, lanes, data.train)
    losses, penalties, gradients = [], [], []
    for plan in single_steps(timetable, steps, cohort):
        batch = Batch.of(plan)
        gradients.append(cohort.gradient(batch))
        trace = cohort.train(plan)
        losses.append(trace.loss)
        penalties.append(np.zeros_like(trace.loss) if trace.penalty is None else trace.penalty)
    return {
        "loss": np.concatenate(losses, axis=1),
        "penalty": np.concatenate(penalties, axis=1),
        **{f"gradient/{n}": np.stack([g[n] for g in gradients], axis=1) for n in gradients[0]},
        **{f"scores/{name}": v for name, v in _scores(cohort, phase, lanes, batch).items()},
    }


def _scores(cohort: Cohort, phase: Phase, lanes: Lanes, batch: Batch) -> dict[str, NDArray[Any]]:
    """Return all scores and activities that a backend computes from a phase's final weights."""
    classifies = phase.network.loss != "mean_squared_error"
    valid = cohort.evaluate("valid", ("loss",), probabilities=classifies)
    scores: dict[str, NDArray[Any]] = {"valid_loss": valid.metrics["loss"]}
    if valid.probabilities is not None:
        scores["probabilities"] = valid.probabilities
    for training in (True, False) if _has_modes(phase.network) else (False,):
        mode = "training" if training else "prediction"
        for label, activity in cohort.activity(batch, training=training).items():
            moments = (activity.mean, activity.sd, activity.dead)
            scores[f"{mode}/{label}"] = np.stack(moments, axis=1)
    if any(isinstance(layer, Dropout | AlphaDropout) for layer in phase.network.layers):
        sampling = Sampling(_SAMPLES, noise_keys(phase, lanes, "mc"))
        sampled = cohort.score(("loss",), probabilities=classifies, sampling=sampling)
        scores["sampled_loss"] = sampled.metrics["loss"]
        if sampled.probabilities is not None:
            scores["sampled"] = sampled.probabilities
    return scores


def _has_modes(network: Network) -> bool:
    """Return whether a layer behaves differently in training and in prediction."""
    normalises = any(isinstance(layer, BatchNorm) for layer in network.layers)
    return normalises or bool(network.noises(1, 1))


def single_steps(timetable: Timetable, steps: int, cohort: TrainingCohort) -> Iterator[EpochPlan]:
    """Yield a phase's first steps as plans of one step each; evaluate after every epoch."""
    valid_loss = np.empty((0, len(timetable.lanes)))
    for number in range(steps):
        epoch, step = divmod(number, timetable.steps)
        if step == 0:
            if epoch:
                loss = cohort.evaluate("valid", ("loss",)).metrics["loss"]
                valid_loss = np.vstack([valid_loss, loss])
            plan = timetable.plan(epoch, valid_loss)
        yield plan.steps(step, step + 1)
