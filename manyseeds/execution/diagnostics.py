"""Records activations, gradients and zeros inside a network, before and after every epoch.

Only phases with `diagnostics = true` do so: it costs a pass over the training split and a gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from manyseeds.backend.protocols import TrainingCohort
from manyseeds.backend.values import Activity, Batch, EpochPlan, Floats
from manyseeds.techniques.network import Network, Weights

Quantity = Literal[
    "output_mean",
    "output_sd",
    "dead",
    "training_mean",
    "training_sd",
    "gradient_norm",
    "zero_share",
    "loss",
    "rate",
    "momentum",
]


@dataclass(frozen=True)
class Diagnosis:
    """One quantity of all lanes at one moment.

    Attributes
    ----------
    phase
        Name of the phase.
    epoch
        Epochs trained so far, counted over all phases.
    step
        Step of the phase, from 0, of a quantity recorded at every step; else None.
    layer
        Label of the layer; "" for a quantity of the whole network.
    quantity
        "output_mean", "output_sd", "dead": as `Activity`, in prediction, over the training rows;
        "training_*": the same in training mode. "gradient_norm": of the layer's gradient on the
        epoch's first batch. "zero_share": share of its kernel's weights that are 0. "loss",
        "rate", "momentum": of a step.
    values
        [lanes].
    """

    phase: str
    epoch: int
    step: int | None
    layer: str
    quantity: Quantity
    values: Floats


def diagnose(
    cohort: TrainingCohort,
    phase: str,
    network: Network,
    plan: EpochPlan,
    epoch: int,
    *,
    gradients: bool,
) -> Iterator[Diagnosis]:
    """Yield the diagnoses of every layer as it is now.

    Parameters
    ----------
    plan
        Of the coming epoch: its rows, noise and first batch are used.
    epoch
        Epochs trained so far, over all phases.
    gradients
        Whether to include gradient norms; networks that are never trained have none.
    """
    quantities: dict[tuple[str, Quantity], Floats] = {}
    rows = Batch(np.sort(plan.order, axis=1), plan.noise, plan.step)
    quantities |= _activity(cohort.activity(rows, training=False), "output", dead=True)
    if any(layer.name in _ONLY_IN_TRAINING for layer in network.layers):
        quantities |= _activity(cohort.activity(rows, training=True), "training", dead=False)
    if gradients:
        quantities |= _gradient_norms(cohort.gradient(Batch.of(plan.steps(0, 1))))
    quantities |= _zero_shares(cohort.weights())
    for (layer, quantity), values in quantities.items():
        yield Diagnosis(phase, epoch, None, layer, quantity, values)


_ONLY_IN_TRAINING = {"batch_norm", "dropout", "alpha_dropout", "gaussian_noise"}


def step_diagnoses(
    phase: str, epoch: int, first_step: int, plan: EpochPlan, loss: Floats
) -> Iterator[Diagnosis]:
    """Yield loss, rate and momentum of every step of an epoch that has ended.

    `loss` is [lanes, steps]; `first_step` is the number of the epoch's first step in the phase.
    """
    series: dict[Quantity, Floats] = {"loss": loss, "rate": plan.rate}
    if plan.momentum is not None:
        series["momentum"] = plan.momentum
    for quantity, values in series.items():
        for step in range(values.shape[1]):
            yield Diagnosis(phase, epoch, first_step + step, "", quantity, values[:, step])


def _activity(
    activities: Mapping[str, Activity], mode: Literal["output", "training"], *, dead: bool
) -> dict[tuple[str, Quantity], Floats]:
    quantities: dict[tuple[str, Quantity], Floats] = {}
    for label, activity in activities.items():
        quantities[label, "output_mean" if mode == "output" else "training_mean"] = activity.mean
        quantities[label, "output_sd" if mode == "output" else "training_sd"] = activity.sd
        if dead:
            quantities[label, "dead"] = activity.dead
    return quantities


def _gradient_norms(gradient: Weights) -> dict[tuple[str, Quantity], Floats]:
    squares: dict[tuple[str, Quantity], Floats] = {}
    for name, values in gradient.items():
        square = np.square(values, dtype=np.float64).reshape(len(values), -1).sum(axis=1)
        key: tuple[str, Quantity] = (name.split("/")[0], "gradient_norm")
        squares[key] = squares.get(key, np.zeros(len(values))) + square
    return {key: np.sqrt(square) for key, square in squares.items()}


def _zero_shares(weights: Weights) -> dict[tuple[str, Quantity], Floats]:
    return {
        (name.split("/")[0], "zero_share"): (values == 0).reshape(len(values), -1).mean(axis=1)
        for name, values in weights.items()
        if name.endswith("/kernel")
    }
