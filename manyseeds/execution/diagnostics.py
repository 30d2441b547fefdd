"""What goes on inside a network: recorded before the first epoch of a phase and after every one.

Only where a phase asks for it: it costs a pass over the training split and a gradient.
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
    """A quantity of all lanes at a moment.

    Attributes
    ----------
    phase
        Its name.
    epoch
        Epochs trained by then, counted over all phases.
    step
        Of the phase, from 0, for what is recorded at every step; else None.
    layer
        Its label; "" for what belongs to no layer.
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
    """Yield what can be seen of each layer now.

    Parameters
    ----------
    plan
        The coming epoch's: its rows, noise and first batch.
    epoch
        Epochs trained so far.
    gradients
        With the norms of gradients: not of networks that are never trained.
    """
    found: dict[tuple[str, Quantity], Floats] = {}
    rows = Batch(np.sort(plan.order, axis=1), plan.noise, plan.step)
    found |= _activity(cohort.activity(rows, training=False), "output", dead=True)
    if any(layer.name in _ONLY_IN_TRAINING for layer in network.layers):
        found |= _activity(cohort.activity(rows, training=True), "training", dead=False)
    if gradients:
        found |= _gradient_norms(cohort.gradient(Batch.of(plan.steps(0, 1))))
    found |= _zero_shares(cohort.weights())
    for (layer, quantity), values in found.items():
        yield Diagnosis(phase, epoch, None, layer, quantity, values)


_ONLY_IN_TRAINING = {"batch_norm", "dropout", "alpha_dropout", "gaussian_noise"}


def step_diagnoses(
    phase: str, epoch: int, first_step: int, plan: EpochPlan, loss: Floats
) -> Iterator[Diagnosis]:
    """Yield loss, rate and momentum of every step of an epoch that has ended.

    `loss` is [lanes, steps], `first_step` the epoch's first in the phase.
    """
    series: dict[Quantity, Floats] = {"loss": loss, "rate": plan.rate}
    if plan.momentum is not None:
        series["momentum"] = plan.momentum
    for quantity, values in series.items():
        for step in range(values.shape[1]):
            yield Diagnosis(phase, epoch, first_step + step, "", quantity, values[:, step])


def _activity(
    found: Mapping[str, Activity], mode: Literal["output", "training"], *, dead: bool
) -> dict[tuple[str, Quantity], Floats]:
    quantities: dict[tuple[str, Quantity], Floats] = {}
    for label, activity in found.items():
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
