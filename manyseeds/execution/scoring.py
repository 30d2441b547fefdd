"""Scores a trained recipe: the only place that looks at test data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from manyseeds.backend.protocols import Backend, Cohort
from manyseeds.backend.settings import Precision
from manyseeds.backend.values import Floats, Metric, Sampling, Split, Splits
from manyseeds.datasets import TaskData
from manyseeds.execution.calibration import calibration
from manyseeds.execution.phase import with_layers
from manyseeds.execution.state import State
from manyseeds.execution.timetable import noise_keys
from manyseeds.randomness.lanes import Lanes
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.techniques.folding import folded
from manyseeds.techniques.network import Network, Weights

ByName = dict[str, Floats]


def scores(
    backend: Backend,
    recipe: Recipe,
    state: State,
    lanes: Lanes,
    precision: Precision,
    task_data: TaskData,
) -> Mapping[str, Floats]:
    """Score the test split after training and return the ledger's metrics, [lanes] each.

    Parameters
    ----------
    backend, precision
        The backend and precision that the recipe was trained with.
    state
        The state after the recipe's last phase.
    task_data
        The source of the tasks' splits.
    """
    last = recipe.phases[-1]
    network, weights = last.network, state.weights
    if recipe.fold:
        network, weights = folded(network, weights)
    phase = last.model_copy(update={"network": network, "frozen": ()})
    data = task_data.splits(phase.task, precision)
    cohort = _cohort(backend, phase, weights, data, lanes)
    metrics = _named("test", _tested(cohort, network, data.test))
    if all(lane.split is None for lane in lanes.seeds):  # else lanes have rows of their own
        metrics |= _named("fitted", _fitted(backend, phase, weights, data, lanes))
    if recipe.monte_carlo:
        keys = noise_keys(last, lanes, "mc")
        sampling = Sampling(recipe.monte_carlo.samples, keys)
        metrics |= _named("mc", _tested(cohort, network, data.test, sampling))
    metrics["zero_share"] = _zero_share(weights)
    metrics |= _dead_share(state, last) | _normality_error(state, last)
    return metrics | _source_scores(backend, recipe, state, lanes, precision, task_data)


def _cohort(backend: Backend, phase: Phase, weights: Weights, data: Splits, lanes: Lanes) -> Cohort:
    cohort = backend.cohort(phase.network, data, len(lanes))
    cohort.begin(phase, weights)
    return cohort


def _tested(
    cohort: Cohort, network: Network, test: Split, sampling: Sampling | None = None
) -> Mapping[str, Floats]:
    """Return the loss and, for a classifier, its accuracy and calibration."""
    if not network.classifies:
        return cohort.score(("loss",), sampling=sampling).metrics
    scored = cohort.score(_metrics(network), probabilities=True, sampling=sampling)
    assert scored.probabilities is not None
    errors = calibration(scored.probabilities, test.labels)
    return {**scored.metrics, "brier": errors["brier"], "ece": errors["ece"]}


def _fitted(
    backend: Backend, phase: Phase, weights: Weights, data: Splits, lanes: Lanes
) -> Mapping[str, Floats]:
    """Score the lanes on the rows they were trained on, without dropout."""
    if rows := phase.task.train:
        train = Split(data.train.inputs[:rows], data.train.labels[:rows])
        data = replace(data, train=train, key=f"{data.key} {rows}")
    cohort = _cohort(backend, phase, weights, data, lanes)
    return cohort.evaluate("train", _metrics(phase.network)).metrics


def _source_scores(
    backend: Backend,
    recipe: Recipe,
    state: State,
    lanes: Lanes,
    precision: Precision,
    task_data: TaskData,
) -> ByName:
    """Return the first network's accuracy before and after a later phase that shares its layers."""
    first = next((n for n, phase in enumerate(recipe.phases) if phase.shared), None)
    if first is None:
        return {}
    source, layers = recipe.phases[first - 1], recipe.phases[first].sources()
    data = task_data.splits(source.task, precision)
    accuracies = {}
    after = with_layers(state.source, layers, state.weights)
    for when, weights in (("before", state.source), ("after", after)):
        metrics = _cohort(backend, source, weights, data, lanes).score(("accuracy",)).metrics
        accuracies[f"source_accuracy_{when}"] = metrics["accuracy"]
    return accuracies


def _zero_share(weights: Weights) -> Floats:
    kernels = [v.reshape(len(v), -1) for name, v in weights.items() if name.endswith("/kernel")]
    zeros = sum((kernel == 0).sum(axis=1) for kernel in kernels)
    return np.asarray(zeros, np.float64) / sum(kernel.shape[1] for kernel in kernels)


def _dead_share(state: State, phase: Phase) -> ByName:
    """Return the share of dead hidden units after the last epoch, where diagnosed."""
    widths = phase.network.activated_units()
    dead = {
        diagnosis.layer: diagnosis.values * widths[diagnosis.layer]
        for diagnosis in state.diagnoses
        if diagnosis.quantity == "dead"
        and diagnosis.phase == phase.name
        and diagnosis.layer in widths
    }  # later epochs replace earlier ones
    if not dead:
        return {}
    return {"dead_share": np.sum(list(dead.values()), axis=0) / sum(widths.values())}


def _normality_error(state: State, phase: Phase) -> ByName:
    """Return the largest deviation of a layer's outputs from mean 0 and sd 1, where diagnosed."""
    hidden = phase.network.activated_units()
    seen = {
        (diagnosis.layer, diagnosis.quantity): diagnosis.values
        for diagnosis in state.diagnoses
        if diagnosis.phase == phase.name and diagnosis.layer in hidden
    }  # later epochs replace earlier ones
    mode = "training" if any(name == "training_sd" for _, name in seen) else "output"
    far = [np.abs(v) for (_, name), v in seen.items() if name == f"{mode}_mean"]
    far += [np.abs(v - 1) for (_, name), v in seen.items() if name == f"{mode}_sd"]
    return {"normality_error": np.max(far, axis=0)} if far else {}


def _metrics(network: Network) -> tuple[Metric, ...]:
    return ("loss", "accuracy") if network.classifies else ("loss",)


def _named(prefix: str, metrics: Mapping[str, Any]) -> ByName:
    return {f"{prefix}_{name}": values for name, values in metrics.items()}
