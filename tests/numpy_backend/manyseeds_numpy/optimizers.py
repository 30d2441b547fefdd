"""The optimizers of `techniques.optimizers`: the equation of each, for all lanes at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from manyseeds.techniques.optimizers import (
    Adagrad,
    Adam,
    Adamax,
    Ftrl,
    Momentum,
    Nadam,
    NadamKeras3,
    Nesterov,
    Optimizer,
    Rmsprop,
    Sgd,
)
from manyseeds_numpy.arrays import Array, Weights, per_lane


class LaneOptimizer:
    """An optimizer with what it remembers of every weight it has met.

    Parameters
    ----------
    wanted
        Which, and its hyperparameters.
    """

    def __init__(self, wanted: Optimizer) -> None:
        self._wanted = wanted
        self._memories: dict[str, dict[str, Any]] = {}
        self._steps = 0

    def step(
        self, weights: Weights, gradients: Weights, rate: Array, momentum: Array | None
    ) -> None:
        """Take a step with rates and momenta [lanes], in place."""
        self._steps += 1
        for name, g in gradients.items():
            theta = weights[name]
            memory = self._memories.setdefault(name, {})
            beta = 0.0 if momentum is None else per_lane(momentum, theta)
            step = Step(theta, g, per_lane(rate, theta), beta, self._steps, memory)
            theta += change(self._wanted, step)


@dataclass(frozen=True)
class Step:
    """A step of one weight: the weight and its gradient [lanes, …], rate and momentum, memory.

    Attributes
    ----------
    number
        From 1.
    memory
        What the optimizer remembers of this weight, by name.
    """

    theta: Array
    gradient: Array
    rate: Array
    momentum: Array | float
    number: int
    memory: dict[str, Any]

    def recall(self, name: str, first: float = 0.0) -> Array:
        """Return what is remembered, to be changed in place; `first` at first."""
        remembered: Array = self.memory.setdefault(name, np.full_like(self.theta, first))
        return remembered

    def average(self, name: str, decay: float, values: Array) -> Array:
        """Return an exponential average of values, from 0, with this step's."""
        average = self.recall(name)
        average[...] = decay * average + (1 - decay) * values
        return average

    def unbiased(self, name: str, decay: float, values: Array) -> Array:
        """Return `average`, corrected for its start from 0."""
        unbiased: Array = self.average(name, decay, values) / (1 - decay**self.number)
        return unbiased


@singledispatch
def change(wanted: Optimizer, step: Step) -> Array:
    """Return what is added to a weight."""
    raise TypeError(f"no equation for {wanted!r}")


@change.register
def _(wanted: Sgd, step: Step) -> Array:
    return -step.rate * step.gradient


@change.register
def _(wanted: Momentum, step: Step) -> Array:
    m = step.recall("m")
    m[...] = step.momentum * m - step.rate * step.gradient
    return m


@change.register
def _(wanted: Nesterov, step: Step) -> Array:
    m = step.recall("m")
    m[...] = step.momentum * m - step.rate * step.gradient
    return step.momentum * m - step.rate * step.gradient


@change.register
def _(wanted: Adagrad, step: Step) -> Array:
    s = step.recall("s", first=wanted.accumulator)
    s += step.gradient**2
    return -step.rate * step.gradient / _root(s + wanted.epsilon)


@change.register
def _(wanted: Rmsprop, step: Step) -> Array:
    s = step.average("s", wanted.rho, step.gradient**2)
    return -step.rate * step.gradient / _root(s + wanted.epsilon)


@change.register
def _(wanted: Adam, step: Step) -> Array:
    m = step.unbiased("m", wanted.beta1, step.gradient)
    s = step.unbiased("s", wanted.beta2, step.gradient**2)
    return -step.rate * m / (_root(s) + wanted.epsilon)


@change.register
def _(wanted: Adamax, step: Step) -> Array:
    m = step.unbiased("m", wanted.beta1, step.gradient)
    u = step.recall("u")
    u[...] = np.maximum(wanted.beta2 * u, np.abs(step.gradient))
    return -step.rate * m / (u + wanted.epsilon)


@change.register(Nadam)
@change.register(NadamKeras3)
def _(wanted: Nadam | NadamKeras3, step: Step) -> Array:
    now, later = (
        wanted.beta1 * (1 - 0.96 ** (wanted.decay * number) / 2)
        for number in (step.number, step.number + 1)
    )
    product = step.memory["product"] = step.memory.get("product", 1.0) * now
    m = step.average("m", wanted.beta1, step.gradient)
    s = step.unbiased("s", wanted.beta2, step.gradient**2)
    ahead: Array = later * m / (1 - product * later) + (1 - now) * step.gradient / (1 - product)
    return -step.rate * ahead / (_root(s) + wanted.epsilon)


@change.register
def _(wanted: Ftrl, step: Step) -> Array:
    n, z = step.recall("n", first=wanted.accumulator), step.recall("z")
    root, before = _root(n + step.gradient**2), _root(n)
    n += step.gradient**2
    z += step.gradient - (root - before) * step.theta / step.rate
    beyond = np.clip(z, -wanted.l1, wanted.l1) - z
    return beyond / (root / step.rate + 2 * wanted.l2) - step.theta


def _root(values: Array) -> Array:
    root: Array = np.sqrt(values)
    return root
