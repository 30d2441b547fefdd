"""The canonical optimizers as functions of stacked tensors, for use inside a compiled program.

Keras' optimizers change variables of their own, so two threads cannot train with the same ones.
These take everything as arguments. Where Keras has the canonical equations, the results agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

Hyperparameters = Mapping[str, Any]
Slots = tuple[tf.Tensor, ...]
"""The optimizer's state of a variable."""


@dataclass(frozen=True)
class OptimizerStep:
    """A step as an optimizer sees it.

    Attributes
    ----------
    number
        Steps since the phase began, this one included; no axes, in the weights' precision.
    rate, momentum
        The rate and momentum of this step, [lanes, 1, 1]; optimizers without a momentum ignore it.
    hyperparameters
        The other hyperparameters by name, without axes.
    product
        The product of the scheduled momenta of all steps, this one included, [lanes, 1, 1]; empty
        where the optimizer schedules none.
    """

    number: tf.Tensor
    rate: tf.Tensor
    momentum: tf.Tensor
    hyperparameters: Hyperparameters
    product: Slots = ()

    def for_rank(self, rank: int) -> OptimizerStep:
        """Return the same step for variables of a rank: those of repeated layers have one more."""
        if rank == self.rate.shape.rank:
            return self
        rate, momentum, *product = (
            tf.expand_dims(values, -1) for values in (self.rate, self.momentum, *self.product)
        )
        deeper = replace(self, rate=rate, momentum=momentum, product=tuple(product))
        return deeper.for_rank(rank)


Update = Callable[[tf.Tensor, tf.Tensor, Slots], tuple[tf.Tensor, Slots]]
"""Takes a variable, its gradient and its slots; returns variable and slots, all [lanes, ...]."""


@dataclass(frozen=True)
class Rule:
    """An optimizer.

    Attributes
    ----------
    starts
        For each slot of a variable, the function of the hyperparameters that gives its first value.
    update
        The equations of a step. Terms that all variables share are computed once, because tracing
        them for every variable takes time.
    scheduled
        The momentum of a step, counted from 1, for an optimizer that schedules its own momentum
        and needs the product over all steps; None for the others.
    """

    starts: tuple[Callable[[Hyperparameters], Any], ...]
    update: Callable[[OptimizerStep], Update]
    scheduled: Callable[[tf.Tensor, Hyperparameters], tf.Tensor] | None = None


def _sgd(step: OptimizerStep) -> Update:
    """Plain gradient descent."""
    return lambda theta, g, slots: (theta - step.rate * g, slots)


def _momentum(step: OptimizerStep) -> Update:
    """Eq. 11-4: the velocity contains the rate, as in Keras' SGD."""

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        m = step.momentum * slots[0] - step.rate * g
        return theta + m, (m,)

    return update


def _nesterov(step: OptimizerStep) -> Update:
    """Eq. 11-5 from the look-ahead point."""

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        m = step.momentum * slots[0] - step.rate * g
        return theta + step.momentum * m - step.rate * g, (m,)

    return update


def _adagrad(step: OptimizerStep) -> Update:
    """Duchi et al. 2011, epsilon inside the root, as in Keras."""

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        s = slots[0] + tf.square(g)
        return theta - step.rate * g / tf.sqrt(s + step.hyperparameters["epsilon"]), (s,)

    return update


def _rmsprop(step: OptimizerStep) -> Update:
    """Tieleman and Hinton 2012, epsilon inside the root, as in Keras."""
    rho, rest = _shares(step, "rho")

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        s = rho * slots[0] + rest * tf.square(g)
        return theta - step.rate * g / tf.sqrt(s + step.hyperparameters["epsilon"]), (s,)

    return update


def _adam(step: OptimizerStep) -> Update:
    """Kingma and Ba 2015, Algorithm 1: epsilon after the bias correction; Keras adds it before."""
    moved, root = _moments(step), _root(step)
    rate = step.rate / _correction(step, "beta1")

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        m, s = moved(g, slots)
        return theta - rate * m / root(s), (m, s)

    return update


def _adamax(step: OptimizerStep) -> Update:
    """Kingma and Ba 2015, Algorithm 2, as in Keras."""
    (beta1, rest), beta2 = _shares(step, "beta1"), step.hyperparameters["beta2"]
    rate = step.rate / _correction(step, "beta1")

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        m = beta1 * slots[0] + rest * g
        u = tf.maximum(beta2 * slots[1], tf.abs(g))
        return theta - rate * m / (u + step.hyperparameters["epsilon"]), (m, u)

    return update


def _nadam(step: OptimizerStep) -> Update:
    """Dozat 2016; Keras' Nadam is the one with decay 1."""
    moved, root = _moments(step), _root(step)
    current, following = (
        _nadam_momentum(step.number + ahead, step.hyperparameters) for ahead in (0, 1)
    )
    (product,) = step.product
    of_average = following / (1 - product * following)
    of_gradient = (1 - current) / (1 - product)

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        m, s = moved(g, slots)
        return theta - step.rate * (of_average * m + of_gradient * g) / root(s), (m, s)

    return update


def _nadam_momentum(number: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    """Return the momentum that Nadam schedules for a step, counted from 1."""
    base = tf.constant(0.96, number.dtype)
    return hyperparameters["beta1"] * (1 - tf.pow(base, hyperparameters["decay"] * number) / 2)


def _ftrl(step: OptimizerStep) -> Update:
    """McMahan et al. 2013, Algorithm 1, as in Keras."""
    l1, twice_l2 = step.hyperparameters["l1"], 2 * step.hyperparameters["l2"]
    inverse = 1 / step.rate

    def update(theta: tf.Tensor, g: tf.Tensor, slots: Slots) -> tuple[tf.Tensor, Slots]:
        # The slot holds the root of the sum of squares: taking two roots a step would be slower.
        root = tf.sqrt(tf.square(slots[0]) + tf.square(g))
        z = slots[1] + g - (root - slots[0]) * inverse * theta
        return (tf.clip_by_value(z, -l1, l1) - z) / (root * inverse + twice_l2), (root, z)

    return update


def _shares(step: OptimizerStep, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the weights of the old and the new value in a moving average."""
    return step.hyperparameters[name], 1 - step.hyperparameters[name]


def _correction(step: OptimizerStep, name: str) -> tf.Tensor:
    """Return the divisor that removes the bias of a moving average that started at zero."""
    return 1 - tf.pow(step.hyperparameters[name], step.number)


def _moments(step: OptimizerStep) -> Callable[[tf.Tensor, Slots], tuple[tf.Tensor, tf.Tensor]]:
    """Return the update of the moving averages of the gradient and of its square."""
    (beta1, rest1), (beta2, rest2) = _shares(step, "beta1"), _shares(step, "beta2")
    return lambda g, slots: (beta1 * slots[0] + rest1 * g, beta2 * slots[1] + rest2 * tf.square(g))


def _root(step: OptimizerStep) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a step's denominator: the unbiased root of the average of squares, plus epsilon."""
    # The correction is one number for all weights: multiplying by it is faster than dividing.
    unbiased = 1 / _correction(step, "beta2")
    return lambda s: tf.sqrt(s * unbiased) + step.hyperparameters["epsilon"]


def _zero(hyperparameters: Hyperparameters) -> float:
    del hyperparameters
    return 0.0


def _accumulator(hyperparameters: Hyperparameters) -> Any:
    return hyperparameters["accumulator"]


def _root_of_accumulator(hyperparameters: Hyperparameters) -> tf.Tensor:
    return tf.sqrt(hyperparameters["accumulator"])


RULES: Mapping[str, Rule] = {
    "sgd": Rule((), _sgd),
    "momentum": Rule((_zero,), _momentum),
    "nesterov": Rule((_zero,), _nesterov),
    "adagrad": Rule((_accumulator,), _adagrad),
    "rmsprop": Rule((_zero,), _rmsprop),
    "adam": Rule((_zero, _zero), _adam),
    "adamax": Rule((_zero, _zero), _adamax),
    "nadam": Rule((_zero, _zero), _nadam, scheduled=_nadam_momentum),
    "nadam_keras3": Rule((_zero, _zero), _nadam, scheduled=_nadam_momentum),
    "ftrl": Rule((_root_of_accumulator, _zero), _ftrl),
}
"""Every optimizer by its name."""


def first_slots(
    rule: Rule, weights: Mapping[str, tf.Tensor], hyperparameters: Hyperparameters
) -> dict[str, Slots]:
    """Return the slots of every variable before the first step, by its name."""
    return {
        name: tuple(
            tf.fill(value.shape, tf.cast(start(hyperparameters), value.dtype))
            for start in rule.starts
        )
        for name, value in weights.items()
    }
