"""The canonical optimizers as functions of stacked tensors, for use inside a compiled program.

Keras' optimizers change variables of their own, and two threads cannot train with the same ones:
these take everything as arguments. Where Keras has the canonical equations they give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

Hyperparameters = Mapping[str, Any]
Slots = tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Now:
    """The step that is being taken.

    Attributes
    ----------
    number
        Of steps since the phase began, with this one; no axes, in the weights' precision.
    rate, momentum
        Of this step, [lanes, 1, 1]; optimizers without a momentum ignore it.
    hyperparameters
        The other hyperparameters by name, no axes.
    product
        Of the scheduled momenta of all steps, with this one, [lanes, 1, 1]; none where the
        optimizer schedules none.
    """

    number: tf.Tensor
    rate: tf.Tensor
    momentum: tf.Tensor
    hyperparameters: Hyperparameters
    product: Slots = ()

    def along(self, rank: int) -> Now:
        """Return the same for variables with so many axes: of repeated layers there is one more."""
        if rank == self.rate.shape.rank:
            return self
        rate, momentum, *product = (
            tf.expand_dims(each, -1) for each in (self.rate, self.momentum, *self.product)
        )
        return replace(self, rate=rate, momentum=momentum, product=tuple(product)).along(rank)


Update = Callable[[tf.Tensor, tf.Tensor, Slots], tuple[tf.Tensor, Slots]]
"""Takes a variable, its gradient and what is kept of it; returns it and that, all [lanes, ...]."""


@dataclass(frozen=True)
class Rule:
    """An optimizer.

    Attributes
    ----------
    slots
        What it keeps of every variable: for each tensor the number that it starts from everywhere.
    step
        Its equations in a step. What all variables share is computed once, for the sake of the
        time that tracing takes.
    scheduled
        The momentum of a step, counted from 1, where the optimizer schedules its own and needs
        the product of all.
    """

    slots: tuple[Callable[[Hyperparameters], Any], ...]
    step: Callable[[Now], Update]
    scheduled: Callable[[tf.Tensor, Hyperparameters], tf.Tensor] | None = None


def _sgd(now: Now) -> Update:
    return lambda theta, g, kept: (theta - now.rate * g, kept)


def _momentum(now: Now) -> Update:
    """Eq. 11-4: the velocity holds the rate, where Keras' SGD has it too."""

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        m = now.momentum * kept[0] - now.rate * g
        return theta + m, (m,)

    return update


def _nesterov(now: Now) -> Update:
    """Eq. 11-5 from the look-ahead point."""

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        m = now.momentum * kept[0] - now.rate * g
        return theta + now.momentum * m - now.rate * g, (m,)

    return update


def _adagrad(now: Now) -> Update:
    """Duchi et al. 2011, epsilon inside the root, as Keras."""

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        s = kept[0] + tf.square(g)
        return theta - now.rate * g / tf.sqrt(s + now.hyperparameters["epsilon"]), (s,)

    return update


def _rmsprop(now: Now) -> Update:
    """Tieleman and Hinton 2012, epsilon inside the root, as Keras."""
    rho, rest = _shares(now, "rho")

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        s = rho * kept[0] + rest * tf.square(g)
        return theta - now.rate * g / tf.sqrt(s + now.hyperparameters["epsilon"]), (s,)

    return update


def _adam(now: Now) -> Update:
    """Kingma and Ba 2015, Algorithm 1: epsilon after the bias correction; Keras adds it before."""
    moved, root = _moments(now), _root(now)
    rate = now.rate / _correction(now, "beta1")

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        m, s = moved(g, kept)
        return theta - rate * m / root(s), (m, s)

    return update


def _adamax(now: Now) -> Update:
    """Kingma and Ba 2015, Algorithm 2, as Keras."""
    (beta1, rest), beta2 = _shares(now, "beta1"), now.hyperparameters["beta2"]
    rate = now.rate / _correction(now, "beta1")

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        m = beta1 * kept[0] + rest * g
        u = tf.maximum(beta2 * kept[1], tf.abs(g))
        return theta - rate * m / (u + now.hyperparameters["epsilon"]), (m, u)

    return update


def _nadam(now: Now) -> Update:
    """Dozat 2016; with decay 1 as Keras, which has no other."""
    moved, root = _moments(now), _root(now)
    here, following = (_nadam_momentum(now.number + ahead, now.hyperparameters) for ahead in (0, 1))
    (product,) = now.product
    of_average = following / (1 - product * following)
    of_gradient = (1 - here) / (1 - product)

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        m, s = moved(g, kept)
        return theta - now.rate * (of_average * m + of_gradient * g) / root(s), (m, s)

    return update


def _nadam_momentum(number: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    base = tf.constant(0.96, number.dtype)
    return hyperparameters["beta1"] * (1 - tf.pow(base, hyperparameters["decay"] * number) / 2)


def _ftrl(now: Now) -> Update:
    """McMahan et al. 2013, Algorithm 1, as Keras."""
    l1, twice_l2, inverse = now.hyperparameters["l1"], 2 * now.hyperparameters["l2"], 1 / now.rate

    def update(theta: tf.Tensor, g: tf.Tensor, kept: Slots) -> tuple[tf.Tensor, Slots]:
        # Of the sum of squares its root is kept: a root of every weight is what takes the time.
        root = tf.sqrt(tf.square(kept[0]) + tf.square(g))
        z = kept[1] + g - (root - kept[0]) * inverse * theta
        return (tf.clip_by_value(z, -l1, l1) - z) / (root * inverse + twice_l2), (root, z)

    return update


def _shares(now: Now, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the shares that a moving average has of what it was and of what is new."""
    return now.hyperparameters[name], 1 - now.hyperparameters[name]


def _correction(now: Now, name: str) -> tf.Tensor:
    """Return the share that a moving average of this many steps from zero has of the truth."""
    return 1 - tf.pow(now.hyperparameters[name], now.number)


def _moments(now: Now) -> Callable[[tf.Tensor, Slots], tuple[tf.Tensor, tf.Tensor]]:
    """Return how the moving averages of the gradient and of its square move."""
    (beta1, rest1), (beta2, rest2) = _shares(now, "beta1"), _shares(now, "beta2")
    return lambda g, kept: (beta1 * kept[0] + rest1 * g, beta2 * kept[1] + rest2 * tf.square(g))


def _root(now: Now) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what the average of squares is divided by: its unbiased root, and epsilon."""
    # The correction is one number for all weights: to multiply by it is faster than to divide.
    unbiased = 1 / _correction(now, "beta2")
    return lambda s: tf.sqrt(s * unbiased) + now.hyperparameters["epsilon"]


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
"""By the optimizer's name."""


def first_slots(
    rule: Rule, weights: Mapping[str, tf.Tensor], hyperparameters: Hyperparameters
) -> dict[str, Slots]:
    """Return what an optimizer keeps of every variable before its first step."""
    return {
        name: tuple(
            tf.fill(value.shape, tf.cast(start(hyperparameters), value.dtype))
            for start in rule.slots
        )
        for name, value in weights.items()
    }
