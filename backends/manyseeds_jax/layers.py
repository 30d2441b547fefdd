"""The forward pass of each layer of one lane, as Flax modules.

A layer is noisy if its noise was drawn: in training all noise is, in Monte Carlo dropout only that
of dropout and alpha dropout, in prediction none.
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
class ForwardPass:
    """One pass through some layers: its mode, and the outputs of the layers so far.

    Attributes
    ----------
    dtype
        The precision of weights and activations.
    noise
        The noises that were drawn, by label.
    batch_statistics
        The labels of the batch normalisations that use their batch's mean and variance.
    outputs
        The output of every layer so far, by label, and the network's input; layers add theirs.
    """

    dtype: Any
    noise: Mapping[str, Words]
    batch_statistics: frozenset[str]
    outputs: dict[str, jax.Array] = field(default_factory=dict)


def forward(
    layer: Layer, inputs: jax.Array, hyperparameters: Hyperparameters, forward_pass: ForwardPass
) -> jax.Array:
    """Return a layer's output, [batch, units]; for the output layer its logits.

    Parameters
    ----------
    layer
        The layer's definition.
    inputs
        [batch, fan_in]
    hyperparameters
        The layer's numbers by name.
    forward_pass
        The pass that this is part of.
    """
    noise = forward_pass.noise.get(layer.label)
    match layer:
        case Dense():
            module = _dense(layer, hyperparameters, forward_pass)
            return module(inputs, hyperparameters, noise)
        case ActivationLayer(function=function):
            return LaneActivation(function, forward_pass.dtype, name=layer.label)(
                inputs, hyperparameters, noise
            )
        case BatchNorm():
            return _batch_norm(layer, hyperparameters, forward_pass)(inputs)
        case Skip(of=of):
            return inputs + forward_pass.outputs[of]
        case Scale():
            return LaneScale(forward_pass.dtype, name=layer.label)(inputs)
        case _:
            return _noisy(layer, inputs, hyperparameters, noise) if noise else inputs


def _noisy(
    layer: Layer, inputs: jax.Array, hyperparameters: Hyperparameters, noise: Words
) -> jax.Array:
    """Return the output of dropout, alpha dropout or Gaussian noise."""
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
        """Return outputs [batch, units] of inputs [batch, fan_in]; only rrelu has noise."""
        return _activated(self, self.function, super().__call__(inputs), hyperparameters, noise)


class LaneActivation(nn.Module):
    """An activation as a layer of its own."""

    function: Activation
    dtype: Any

    @nn.compact
    def __call__(
        self, inputs: jax.Array, hyperparameters: Hyperparameters, noise: Words | None
    ) -> jax.Array:
        """Return [batch, units] of inputs of the same shape."""
        return _activated(self, self.function, inputs, hyperparameters, noise)


class LaneScale(nn.Module):
    """Multiplication by one learned number."""

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
        # One slope for each unit; `flax.linen.PReLU` has a single one for the layer.
        slope = module.param("slope", nn.initializers.zeros, inputs.shape[-1:], module.dtype)
    return activate(function.name, inputs, hyperparameters, noise=noise, slope=slope)


def _dense(layer: Dense, hyperparameters: Hyperparameters, forward_pass: ForwardPass) -> LaneDense:
    noise = forward_pass.noise.get(f"{layer.label}/kernel")
    return LaneDense(
        layer.units,
        use_bias=layer.bias,
        dtype=forward_pass.dtype,
        param_dtype=forward_pass.dtype,
        dot_general=partial(_drop_connect, noise, hyperparameters) if noise else None,
        function=layer.activation,
        name=layer.label,
    )


def _drop_connect(
    noise: Words,
    hyperparameters: Hyperparameters,
    inputs: jax.Array,
    kernel: jax.Array,
    *axes: Any,
    **options: Any,
) -> jax.Array:
    """Return the product of inputs and a kernel some of whose weights are dropped."""
    threshold, scale = hyperparameters["drop_threshold"], hyperparameters["drop_scale"]
    return lax.dot_general(inputs, dropout(kernel, noise, threshold, scale), *axes, **options)


def _batch_norm(
    layer: BatchNorm, hyperparameters: Hyperparameters, forward_pass: ForwardPass
) -> nn.BatchNorm:
    return nn.BatchNorm(
        use_running_average=layer.label not in forward_pass.batch_statistics,
        momentum=hyperparameters["momentum"],
        epsilon=hyperparameters["epsilon"],
        dtype=forward_pass.dtype,
        param_dtype=forward_pass.dtype,
        use_fast_variance=False,  # its E[x^2] - E[x]^2 suffers from cancellation
        name=layer.label,
    )
