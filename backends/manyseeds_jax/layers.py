"""The layers of one lane as Flax modules, forwards.

A noise acts where it is drawn: in training all of them are, in Monte Carlo dropout those of dropout
and alpha dropout alone, in prediction none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import flax.linen as nn
import jax
from jax import lax

from manyseeds.techniques.activations import Activation, Linear
from manyseeds.techniques.layers import (
    ActivationLayer,
    AlphaDropout,
    BatchNorm,
    Dense,
    Dropout,
    Layer,
    Scale,
    Skip,
)
from manyseeds_jax.activations import Hyperparameters, activate
from manyseeds_jax.noise import Words, alpha_dropout, dropout, normals


@dataclass(frozen=True)
class Pass:
    """One pass through a network: what all its layers are given.

    Attributes
    ----------
    dtype
        Of weights and activations.
    noise
        What was drawn, by label.
    batch_statistics
        The labels of the batch normalisations that use their batch's mean and variance.
    outputs
        What left each layer so far, by label, and the network's input; layers add to it.
    """

    dtype: Any
    noise: Mapping[str, Words]
    batch_statistics: frozenset[str]
    outputs: dict[str, jax.Array] = field(default_factory=dict)


def forward(
    layer: Layer, inputs: jax.Array, hyperparameters: Hyperparameters, given: Pass
) -> jax.Array:
    """Return what leaves a layer, [batch, units]; of the output layer its logits."""
    noise = given.noise.get(layer.label)
    match layer:
        case Dense():
            return _dense(layer, hyperparameters, given)(inputs, hyperparameters, noise)
        case ActivationLayer(function=function):
            return LaneActivation(function, given.dtype, name=layer.label)(
                inputs, hyperparameters, noise
            )
        case BatchNorm():
            return _batch_norm(layer, hyperparameters, given)(inputs)
        case Skip(of=of):
            return inputs + given.outputs[of]
        case Scale():
            return LaneScale(given.dtype, name=layer.label)(inputs)
        case _:
            return _disturbed(layer, inputs, hyperparameters, noise) if noise else inputs


def _disturbed(
    layer: Layer, inputs: jax.Array, hyperparameters: Hyperparameters, noise: Words
) -> jax.Array:
    match layer:
        case Dropout():
            return dropout(inputs, noise, hyperparameters["threshold"], hyperparameters["scale"])
        case AlphaDropout():
            return alpha_dropout(
                inputs,
                noise,
                hyperparameters["threshold"],
                hyperparameters["a"],
                hyperparameters["b"],
            )
        case _:
            return inputs + hyperparameters["sd"] * normals(noise, inputs.shape, inputs.dtype)


class LaneDense(nn.Dense):
    """A dense layer with its activation.

    Attributes
    ----------
    function
        The activation.
    """

    function: Activation = Linear()

    @nn.compact
    def __call__(
        self, inputs: jax.Array, hyperparameters: Hyperparameters, noise: Words | None
    ) -> jax.Array:
        """Return [batch, units] of inputs [batch, fan_in]; the noise is that of a rrelu."""
        return _activated(self, self.function, super().__call__(inputs), hyperparameters, noise)


class LaneActivation(nn.Module):
    """An activation by itself."""

    function: Activation
    dtype: Any

    @nn.compact
    def __call__(
        self, inputs: jax.Array, hyperparameters: Hyperparameters, noise: Words | None
    ) -> jax.Array:
        """Return [batch, units] of inputs of the same shape."""
        return _activated(self, self.function, inputs, hyperparameters, noise)


class LaneScale(nn.Module):
    """Times one learned number."""

    dtype: Any

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Return [batch, units] of inputs of the same shape."""
        return inputs * self.param("multiplier", nn.initializers.ones, (1,), self.dtype)


def _activated(
    module: LaneDense | LaneActivation,
    function: Activation,
    inputs: jax.Array,
    hyperparameters: Hyperparameters,
    noise: Words | None,
) -> jax.Array:
    slope = None
    if function.name == "prelu":
        # One for each unit, where `flax.linen.PReLU` has one for the layer.
        slope = module.param("slope", nn.initializers.zeros, inputs.shape[-1:], module.dtype)
    return activate(function.name, inputs, hyperparameters, noise=noise, slope=slope)


def _dense(layer: Dense, hyperparameters: Hyperparameters, given: Pass) -> LaneDense:
    noise = given.noise.get(f"{layer.label}/kernel")
    return LaneDense(
        layer.units,
        use_bias=layer.bias,
        dtype=given.dtype,
        param_dtype=given.dtype,
        dot_general=partial(_dropped_product, noise, hyperparameters) if noise else None,
        function=layer.activation,
        name=layer.label,
    )


def _dropped_product(
    noise: Words,
    hyperparameters: Hyperparameters,
    inputs: jax.Array,
    kernel: jax.Array,
    *axes: Any,
    **options: Any,
) -> jax.Array:
    """Return the product with a kernel some of whose weights are dropped: drop connect."""
    kept = dropout(kernel, noise, hyperparameters["drop_threshold"], hyperparameters["drop_scale"])
    return lax.dot_general(inputs, kept, *axes, **options)


def _batch_norm(layer: BatchNorm, hyperparameters: Hyperparameters, given: Pass) -> nn.BatchNorm:
    return nn.BatchNorm(
        use_running_average=layer.label not in given.batch_statistics,
        momentum=hyperparameters["momentum"],
        epsilon=hyperparameters["epsilon"],
        dtype=given.dtype,
        param_dtype=given.dtype,
        use_fast_variance=False,  # its E[x^2] - E[x]^2 cancels
        name=layer.label,
    )
