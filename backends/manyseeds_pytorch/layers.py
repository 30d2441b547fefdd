"""The layers of `manyseeds.techniques.layers` over stacked values; the first axis is the lane.

A layer holds its hyperparameters. Its variables are passed with every call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.randomness.noise import SELU_FLOOR, alpha_affine, keep_scale, threshold
from manyseeds.techniques import layers as techniques
from manyseeds.techniques.activations import Activation
from manyseeds_pytorch.activations import activate
from manyseeds_pytorch.layers_affine import LaneDropConnect, affine
from manyseeds_pytorch.layers_batch_norm import LaneBatchNorm
from manyseeds_pytorch.layers_pass import ForwardPass, Variables, storing_gradient
from manyseeds_pytorch.noise import as_floats

__all__ = ["ForwardPass", "LaneLayer", "Variables", "lane_layer"]

LaneLayer = Callable[[Tensor, Variables, ForwardPass], Tensor]
"""Maps inputs [lanes, batch, fan_in], the layer's variables and the pass to outputs."""


def lane_layer(  # noqa: PLR0911  (one return for each kind)
    layer: techniques.Layer, frozen: Collection[str]
) -> LaneLayer:
    """Return a layer over stacked values.

    Parameters
    ----------
    layer
        The layer's definition.
    frozen
        Labels of the layers that the phase freezes.
    """
    match layer:
        case techniques.Dense():
            return _Dense(layer.label, layer.activation, _drop_connect(layer))
        case techniques.ActivationLayer():
            return _ActivationLayer(layer.label, layer.function)
        case techniques.BatchNorm():
            return LaneBatchNorm(layer.momentum, layer.epsilon, layer.label in frozen)
        case techniques.Dropout():
            return _Dropout(layer.label, layer.rate)
        case techniques.AlphaDropout():
            return _AlphaDropout(layer.label, layer.rate)
        case techniques.GaussianNoise():
            return _GaussianNoise(layer.label, layer.sd)
        case techniques.Skip():
            return _Skip(layer.of)
        case techniques.Scale():
            return _scale


def _drop_connect(layer: techniques.Dense) -> LaneDropConnect | None:
    if layer.drop_connect is None:
        return None
    rate = layer.drop_connect.rate
    return LaneDropConnect(f"{layer.label}/kernel", threshold(rate), keep_scale(rate))


@dataclass(frozen=True)
class _Dense:
    """activation(x W + b)."""

    label: str
    function: Activation
    drop_connect: LaneDropConnect | None

    def __call__(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        dropping = forward_pass.training and self.drop_connect
        product = dropping.affine if dropping else affine
        values = product(inputs, variables, forward_pass)
        return activate(self.function, values, variables, forward_pass, self.label)


@dataclass(frozen=True)
class _ActivationLayer:
    """activation(x)."""

    label: str
    function: Activation

    def __call__(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        return activate(self.function, inputs, variables, forward_pass, self.label)


@dataclass(frozen=True)
class _Dropout:
    """x times a mask of 0 and 1 / P(kept)."""

    label: str
    rate: float

    def __call__(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        if not forward_pass.dropout:
            return inputs
        mask = _keep_mask(self.label, self.rate, inputs, forward_pass)
        return inputs * mask.mul_(keep_scale(self.rate))


@dataclass(frozen=True)
class _AlphaDropout:
    """a x + b where x is kept, else a m + b; `functional.alpha_dropout` draws its own noise."""

    label: str
    rate: float

    def __call__(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        if not forward_pass.dropout:
            return inputs
        a, b = alpha_affine(self.rate)
        mask = _keep_mask(self.label, self.rate, inputs, forward_pass)
        constants = mask.mul(-a * SELU_FLOOR).add_(a * SELU_FLOOR + b)
        return torch.addcmul(constants, inputs, mask, value=a)


def _keep_mask(label: str, rate: float, inputs: Tensor, forward_pass: ForwardPass) -> Tensor:
    """Return 1 where an input [lanes, batch, units] is kept, else 0, in the inputs' type."""
    noise = forward_pass.noise[label]
    mask = noise.keep(forward_pass.step, inputs[0].numel(), threshold(rate)).view(inputs.shape)
    # Converted here because booleans times a number are float32 even if the inputs are float64.
    return as_floats(mask, torch.empty_like(inputs))


@dataclass(frozen=True)
class _GaussianNoise:
    """x + sd z in training."""

    label: str
    sd: float

    def __call__(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        if not forward_pass.training:
            return inputs
        normals = forward_pass.noise[self.label].normals(forward_pass.step, inputs[0].numel())
        return torch.add(inputs, normals.view(inputs.shape), alpha=self.sd)


@dataclass(frozen=True)
class _Skip:
    """x + the output of the layer `of`."""

    of: str

    def __call__(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        return inputs + forward_pass.outputs[self.of]


def _scale(inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
    """Return x times the multiplier, [lanes, 1, 1]."""
    return inputs * storing_gradient(variables["multiplier"], forward_pass)
