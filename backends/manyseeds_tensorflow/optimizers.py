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
    product
        Of the scheduled momenta of all steps, with this one, [lanes, 1, 1]; none where the
        optimizer schedules none.
    """

    number: tf.Tensor
    rate: tf.Tensor
    momentum: tf.Tensor
    knobs: Knobs
    product: Slots = ()


@dataclass(frozen=True)
class Rule:
    """An optimizer.

    Attributes
    ----------
    slots
        What it keeps of every variable: for each tensor the hyperparameter that it starts from
        everywhere, or None for zero.
    update
        Its equations: `update(theta, g, kept, now)` returns the variable and what is kept, all
        [lanes, ...].
    scheduled
        The momentum of a step, counted from 1, where the optimizer schedules its own and needs
        the product of all.
    """

    slots: tuple[str | None, ...]
    update: Callable[[tf.Tensor, tf.Tensor, Slots, Now], tuple[tf.Tensor, Slots]]
    scheduled: Callable[[tf.Tensor, Knobs], tf.Tensor] | None = None


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


def _adagrad(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Duchi et al. 2011, epsilon inside the root, as Keras."""
    s = kept[0] + tf.square(g)
    return theta - now.rate * g / tf.sqrt(s + now.knobs["epsilon"]), (s,)


def _rmsprop(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Tieleman and Hinton 2012, epsilon inside the root, as Keras."""
    rho = now.knobs["rho"]
    s = rho * kept[0] + (1 - rho) * tf.square(g)
    return theta - now.rate * g / tf.sqrt(s + now.knobs["epsilon"]), (s,)


def _adam(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Kingma and Ba 2015, Algorithm 1: epsilon after the bias correction; Keras adds it before."""
    m, s = _averages(g, kept, now.knobs)
    unbiased = m / (1 - tf.pow(now.knobs["beta1"], now.number))
    return theta - now.rate * unbiased / _root(s, now), (m, s)


def _adamax(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Kingma and Ba 2015, Algorithm 2, as Keras."""
    beta1, beta2 = now.knobs["beta1"], now.knobs["beta2"]
    m = beta1 * kept[0] + (1 - beta1) * g
    u = tf.maximum(beta2 * kept[1], tf.abs(g))
    unbiased = m / (1 - tf.pow(beta1, now.number))
    return theta - now.rate * unbiased / (u + now.knobs["epsilon"]), (m, u)


def _nadam(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """Dozat 2016; with decay 1 as Keras, which has no other."""
    m, s = _averages(g, kept, now.knobs)
    here, following = (_nadam_momentum(now.number + ahead, now.knobs) for ahead in (0, 1))
    (product,) = now.product
    ahead = following * m / (1 - product * following) + (1 - here) * g / (1 - product)
    return theta - now.rate * ahead / _root(s, now), (m, s)


def _nadam_momentum(number: tf.Tensor, knobs: Knobs) -> tf.Tensor:
    base = tf.constant(0.96, number.dtype)
    return knobs["beta1"] * (1 - tf.pow(base, knobs["decay"] * number) / 2)


def _ftrl(theta: tf.Tensor, g: tf.Tensor, kept: Slots, now: Now) -> tuple[tf.Tensor, Slots]:
    """McMahan et al. 2013, Algorithm 1, as Keras."""
    l1, l2 = now.knobs["l1"], now.knobs["l2"]
    n = kept[0] + tf.square(g)
    root = tf.sqrt(n)
    z = kept[1] + g - (root - tf.sqrt(kept[0])) / now.rate * theta
    return (tf.clip_by_value(z, -l1, l1) - z) / (root / now.rate + 2 * l2), (n, z)


def _averages(g: tf.Tensor, kept: Slots, knobs: Knobs) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the moving averages of the gradient and of its square."""
    beta1, beta2 = knobs["beta1"], knobs["beta2"]
    return beta1 * kept[0] + (1 - beta1) * g, beta2 * kept[1] + (1 - beta2) * tf.square(g)


def _root(s: tf.Tensor, now: Now) -> tf.Tensor:
    """Return the root of the unbiased average of squares, and epsilon."""
    unbiased = s / (1 - tf.pow(now.knobs["beta2"], now.number))
    return tf.sqrt(unbiased) + now.knobs["epsilon"]


RULES: Mapping[str, Rule] = {
    "sgd": Rule((), _sgd),
    "momentum": Rule((None,), _momentum),
    "nesterov": Rule((None,), _nesterov),
    "adagrad": Rule(("accumulator",), _adagrad),
    "rmsprop": Rule((None,), _rmsprop),
    "adam": Rule((None, None), _adam),
    "adamax": Rule((None, None), _adamax),
    "nadam": Rule((None, None), _nadam, scheduled=_nadam_momentum),
    "nadam_keras3": Rule((None, None), _nadam, scheduled=_nadam_momentum),
    "ftrl": Rule(("accumulator", None), _ftrl),
}
"""By the optimizer's name."""


def first_slots(rule: Rule, weights: Mapping[str, tf.Tensor], knobs: Knobs) -> dict[str, Slots]:
    """Return what an optimizer keeps of every variable before its first step."""
    starts = [0.0 if name is None else knobs[name] for name in rule.slots]
    return {
        name: tuple(tf.fill(value.shape, tf.cast(start, value.dtype)) for start in starts)
        for name, value in weights.items()
    }
