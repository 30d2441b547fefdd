"""Every layer of `techniques.layers` forwards, and how a gradient goes back through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from manyseeds.randomness.noise import SELU_FLOOR, alpha_affine, keep_scale, kept, normals, slopes
from manyseeds.techniques.activations import Activation, LeakyRelu, PRelu, RRelu
from manyseeds.techniques.layers import (
    ActivationLayer,
    AlphaDropout,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    Scale,
)
from manyseeds_numpy.activations import Slope, activate, derivative
from manyseeds_numpy.arrays import Array, Keys, Weights


@dataclass(frozen=True)
class Mode:
    """How layers behave; as in prediction where nothing is said.

    Attributes
    ----------
    noise
        Keys [lanes, 2] of the noises that are on, by their label.
    step
        The step's number in the noise counter.
    learning
        Labels of the layers that learn: where they normalise a batch, it is by its own statistics.
    """

    noise: Mapping[str, Keys] = field(default_factory=dict)
    step: int = 0
    learning: frozenset[str] = frozenset()


Back = Callable[[Array], tuple[Array, Weights]]
"""From the gradient of what left a layer to that of what came up to it, and of its variables."""


@dataclass(frozen=True)
class Passed:
    """What a layer made of what came up to it.

    Attributes
    ----------
    values
        [lanes, batch, units].
    back
        The way back of a gradient.
    moved
        Moving averages, by their own names, as a training step leaves them.
    """

    values: Array
    back: Back
    moved: Weights = field(default_factory=dict)


def forward(layer: Layer, below: Array, own: Weights, mode: Mode) -> Passed:
    """Pass `below` [lanes, batch, units] through a layer with variables `own`, by their names.

    `below` may have one lane for all, where they see the same.
    """
    match layer:
        case Dense():
            return dense(layer, below, own, mode)
        case ActivationLayer():
            return activation(layer.function, layer.label, below, own, mode)
        case BatchNorm():
            return batch_norm(layer, below, own, mode)
        case Scale():
            return scale(below, own)
        case _ if layer.label in mode.noise:
            return noisy(layer, below, mode)
        case _:
            return Passed(below, lambda gradient: (gradient, {}))


def dense(layer: Dense, below: Array, own: Weights, mode: Mode) -> Passed:
    """activation(x W + b)."""
    connected: Array | float = 1.0
    if layer.drop_connect and f"{layer.label}/kernel" in mode.noise:
        key, rate = mode.noise[f"{layer.label}/kernel"], layer.drop_connect.rate
        fan_in, units = own["kernel"].shape[1:]
        mask = kept(key, mode.step, fan_in, units, rate)
        connected = mask.astype(below.dtype) * keep_scale(rate)
    kernel = own["kernel"] * connected
    z = below @ kernel
    if layer.bias:
        z = z + own["bias"][:, None]
    activated = activation(layer.activation, layer.label, z, own, mode)

    def back(gradient: Array) -> tuple[Array, Weights]:
        gradient, found = activated.back(gradient)
        found["kernel"] = below.swapaxes(1, 2) @ gradient * connected
        if layer.bias:
            found["bias"] = gradient.sum(axis=1)
        return gradient @ kernel.swapaxes(1, 2), found

    return Passed(activated.values, back)


def activation(function: Activation, label: str, below: Array, own: Weights, mode: Mode) -> Passed:
    """Apply an activation to each element; a prelu learns its slope."""
    slope = _slope_below(function, label, below, own, mode)

    def back(gradient: Array) -> tuple[Array, Weights]:
        found = {}
        if isinstance(function, PRelu):
            found["slope"] = (gradient * np.minimum(below, 0)).sum(axis=1)
        return gradient * derivative(function, below, slope), found

    return Passed(activate(function, below, slope), back)


def _slope_below(function: Activation, label: str, below: Array, own: Weights, mode: Mode) -> Slope:
    """Return the slope below 0 of an activation that is two straight lines."""
    match function:
        case LeakyRelu(alpha=alpha):
            return alpha
        case PRelu():
            return own["slope"][:, None]
        case RRelu(lower=lower, upper=upper) if label in mode.noise:
            rows, units = below.shape[1:]
            drawn = slopes(mode.noise[label], mode.step, rows, units, lower, upper)
            return drawn.astype(below.dtype)
        case RRelu(lower=lower, upper=upper):
            return (lower + upper) / 2
        case _:
            return 0.0


def batch_norm(layer: BatchNorm, below: Array, own: Weights, mode: Mode) -> Passed:
    """gamma (x - mu) / sqrt(v + epsilon) + beta; a learning layer's mu and v are the batch's."""
    learns = layer.label in mode.learning
    mean, variance = own["moving_mean"], own["moving_variance"]
    moved: Weights = {}
    if learns:
        mean, variance = below.mean(axis=1), below.var(axis=1)
        for name, now in (("moving_mean", mean), ("moving_variance", variance)):
            moved[name] = layer.momentum * own[name] + (1 - layer.momentum) * now
    sd = np.sqrt(variance + layer.epsilon)[:, None]
    unit = (below - mean[:, None]) / sd

    def back(gradient: Array) -> tuple[Array, Weights]:
        found = {"gamma": (gradient * unit).sum(axis=1), "beta": gradient.sum(axis=1)}
        gradient = gradient * own["gamma"][:, None]
        if learns:  # mean and variance depend on every row
            along = (gradient * unit).mean(axis=1, keepdims=True) * unit
            gradient = gradient - gradient.mean(axis=1, keepdims=True) - along
        return gradient / sd, found

    return Passed(unit * own["gamma"][:, None] + own["beta"][:, None], back, moved)


def scale(below: Array, own: Weights) -> Passed:
    """x times the multiplier."""
    multiplier = own["multiplier"][:, None]

    def back(gradient: Array) -> tuple[Array, Weights]:
        found = (gradient * below).sum(axis=(1, 2))[:, None]
        return gradient * multiplier, {"multiplier": found}

    return Passed(below * multiplier, back)


def noisy(layer: Layer, below: Array, mode: Mode) -> Passed:
    """Dropout, alpha dropout or white noise, on: a factor of each element and what is added."""
    factor, added = _disturbance(layer, below, mode)
    return Passed(below * factor + added, lambda gradient: (gradient * factor, {}))


def _disturbance(layer: Layer, below: Array, mode: Mode) -> tuple[Array | float, Array | float]:
    key, (rows, units) = mode.noise[layer.label], below.shape[1:]
    match layer:
        case Dropout(rate=rate):
            mask = kept(key, mode.step, rows, units, rate).astype(below.dtype)
            return mask * keep_scale(rate), 0.0
        case AlphaDropout(rate=rate):
            a, b = alpha_affine(rate)
            mask = kept(key, mode.step, rows, units, rate).astype(below.dtype)
            return a * mask, a * SELU_FLOOR * (1 - mask) + b
        case GaussianNoise(sd=sd):
            drawn = normals(key, mode.step, rows * units, below.dtype)
            return 1.0, sd * drawn.reshape(len(key), rows, units)
        case _:
            raise AssertionError(f"{layer.name} makes no noise")
