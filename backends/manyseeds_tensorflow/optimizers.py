"""The canonical optimizers as functions of stacked tensors, for use inside a compiled program.

Keras' optimizers change variables of their own, and two threads cannot train with the same ones:
these take everything as arguments. Where Keras has the canonical equations they give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

Knobs = Mapping[str, Any]
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
    knobs
        The other hyperparameters by name, no axes.
    """

    number: tf.Tensor
    rate: tf.Tensor
    momentum: tf.Tensor
    knobs: Knobs


@dataclass(frozen=True)
class Rule:
    """An optimizer: how many tensors it keeps for every variable, from zero, and its equations.

    `update(theta, g, kept, now)` returns the variable and what is kept, all [lanes, ...].
    """

    slots: int
    update: Callable[[tf.Tensor, tf.Tensor, Slots, Now], tuple[tf.Tensor, Slots]]


def _sgd(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    return theta - now.rate * g, kept


def _momentum(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Eq. 11-4: the velocity holds the rate, where Keras' SGD has it too."""
    m = now.momentum * kept[0] - now.rate * g
    return theta + m, (m,)


def _nesterov(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Eq. 11-5 from the look-ahead point."""
    m = now.momentum * kept[0] - now.rate * g
    return theta + now.momentum * m - now.rate * g, (m,)


def _adam(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Kingma and Ba 2015, Algorithm 1: epsilon after the bias correction; Keras adds it before."""
    beta1, beta2 = now.knobs["beta1"], now.knobs["beta2"]
    m = beta1 * kept[0] + (1 - beta1) * g
    s = beta2 * kept[1] + (1 - beta2) * tf.square(g)
    unbiased = m / (1 - tf.pow(beta1, now.number))
    root = tf.sqrt(s / (1 - tf.pow(beta2, now.number)))
    return theta - now.rate * unbiased / (root + now.knobs["epsilon"]), (m, s)


RULES: Mapping[str, Rule] = {
    "sgd": Rule(0, _sgd),
    "momentum": Rule(1, _momentum),
    "nesterov": Rule(1, _nesterov),
    "adam": Rule(2, _adam),
}
"""By the optimizer's name."""
