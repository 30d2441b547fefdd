"""Layers over stacked weights: every parameter's first axis is the lane.

Activations are `torch.nn`'s own; at exactly 0 their derivatives are those of the negative branch,
as `manyseeds.activations` wants (tested).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import Function
from torch.nn import functional

from manyseeds import activations
from manyseeds import network as definition
from manyseeds.activations import Activation
from manyseeds.network import Loss, Network
from manyseeds_pytorch.device import Placement

EVERY_LANE = slice(None)

_PLAIN: dict[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "logistic": nn.Sigmoid,
    "softmax": nn.Identity,  # An output's only, and the losses start from the logits.
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "selu": nn.SELU,
}


class _Affine(Function):
    """x W + b, whose backward pass leaves the gradients of W and b in the room made in `.grad`.

    Autograd would allocate them anew at every step; for many lanes that maps so much fresh memory
    that it takes longer than the products. `keep` says whether they are added to what stands
    there, as PyTorch's own backward pass does, or written over it.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, kernel: Tensor, bias: Tensor | None, keep: bool
    ) -> Tensor:
        ctx.save_for_backward(inputs, kernel)
        ctx.bias, ctx.keep = bias, keep
        return _affine(inputs, kernel, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        inputs, kernel = ctx.saved_tensors
        (gradient,) = gradients
        # First what needs the kernel: the room in `.grad` may be the kernel itself.
        below = torch.bmm(gradient, kernel) if ctx.needs_input_grad[0] else None
        if kernel.requires_grad:
            room = kernel.grad
            torch.baddbmm(room, gradient.mT, inputs, beta=float(ctx.keep), out=room)
        if ctx.bias is not None and ctx.bias.requires_grad:
            found = gradient.sum(1, keepdim=True)
            ctx.bias.grad.add_(found) if ctx.keep else ctx.bias.grad.copy_(found)
        return below, None, None, None


def _affine(inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    columns = kernel.mT
    return torch.bmm(inputs, columns) if bias is None else torch.baddbmm(bias, inputs, columns)


class Dense(nn.Module):
    """activation(x W + b) in every lane.

    Attributes
    ----------
    kernel
        [lanes, units, fan_in], as `nn.Linear` keeps it: its gradient is then a third faster.
    bias
        [lanes, 1, units], or None.
    keep
        Whether the backward pass adds to what stands in `.grad`, or overwrites it.
    """

    def __init__(self, layer: definition.Dense, fan_in: int, lanes: int, where: Placement) -> None:
        super().__init__()
        kernel, bias = (lanes, layer.units, fan_in), (lanes, 1, layer.units)
        self.kernel = _parameter(kernel, where)
        self.bias = _parameter(bias, where) if layer.bias else None
        self.activation = activation(layer.activation)
        self.keep = False

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs [lanes, batch, units] of inputs [lanes, batch, fan_in]."""
        return self.activation(_Affine.apply(inputs, self.kernel, self.bias, self.keep))

    def predict(self, inputs: Tensor, lanes: slice) -> Tensor:
        """Return what `forward` does, for some of the lanes, without a gradient."""
        bias = None if self.bias is None else self.bias[lanes]
        return self.activation(_affine(inputs, self.kernel[lanes], bias))

    def learns(self, learns: bool) -> None:
        """Set whether the layer has gradients."""
        for parameter in self.parameters():
            parameter.requires_grad_(learns)
            parameter.grad = None


def _parameter(shape: tuple[int, ...], where: Placement) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape, device=where.device, dtype=where.dtype))


class Dropout(nn.Module):
    """x times a mask of 0 and 1 / P(kept) in training, x itself in evaluation."""

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Return the outputs, shaped as the inputs and the mask: [lanes, batch, units]."""
        return inputs * mask

    def predict(self, inputs: Tensor, lanes: slice) -> Tensor:
        """Return the inputs."""
        return inputs


class Stack(nn.Module):
    """A network in every lane: the layers in order, by label; the output gives logits.

    Parameters
    ----------
    network
        What to build.
    features
        Width of the input.
    lanes
        How many.
    where
        Device and precision.
    """

    def __init__(self, network: Network, features: int, lanes: int, where: Placement) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        fan_in = features
        for layer in network.layers:
            if isinstance(layer, definition.Dropout):
                self.layers[layer.label] = Dropout()
            else:
                self.layers[layer.label] = Dense(layer, fan_in, lanes, where)
                fan_in = layer.units
        self.configure(network)

    def configure(self, network: Network) -> None:
        """Take the hyperparameters of a network of the same structure."""
        for layer in network.dense():
            self.dense(layer.label).activation = activation(layer.activation)
        # The losses start from the logits.
        self.dense(network.output.label).activation = nn.Identity()

    def collect(self, rooms: Mapping[str, Tensor], *, keep: bool) -> None:
        """Set where the backward pass leaves what it finds for every variable that learns.

        With `keep` it adds to what stands there.
        """
        for name, parameter in self.variables().items():
            parameter.grad = rooms.get(name)
        for layer in self.layers.values():
            if isinstance(layer, Dense):
                layer.keep = keep

    def dense(self, label: str) -> Dense:
        """Return a dense layer by label."""
        return cast(Dense, self.layers[label])

    def forward(self, inputs: Tensor, masks: Mapping[str, Tensor]) -> Tensor:
        """Return the logits [lanes, batch, units] in training, masks by label of the layer."""
        values = inputs
        for label, layer in self.layers.items():
            values = layer(values, masks[label]) if label in masks else layer(values)
        return values

    def predict(self, inputs: Tensor, lanes: slice = EVERY_LANE) -> Tensor:
        """Return the logits of some lanes, nothing dropped, without a gradient."""
        values = inputs
        for layer in self.layers.values():
            values = cast(Dense | Dropout, layer).predict(values, lanes)
        return values

    def variables(self) -> dict[str, nn.Parameter]:
        """Return the parameters by "layer/variable", in the order of the layers.

        They are kept as [lanes, units, fan_in] and [lanes, 1, units]: see `canonical`.
        """
        return {
            f"{label}/{name}": parameter
            for label, layer in self.layers.items()
            for name, parameter in layer.named_parameters()
        }


def canonical(name: str, tensor: Tensor) -> Tensor:
    """Return a view of a variable, or its gradient, in the shape the harness knows.

    Kernels are [lanes, fan_in, units], biases [lanes, units].
    """
    return tensor.squeeze(1) if name.endswith("/bias") else tensor.mT


def activation(function: Activation) -> nn.Module:
    """Return an activation as a module, every hyperparameter spelled out."""
    match function:
        case activations.LeakyRelu():
            return nn.LeakyReLU(negative_slope=function.alpha)
        case activations.Elu():
            return nn.ELU(alpha=function.alpha)
        case _:
            return _PLAIN[function.name]()


def losses(kind: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of every example, [lanes, batch].

    Parameters
    ----------
    logits
        [lanes, batch, units].
    labels
        [lanes, batch] classes, or [lanes, batch, units] targets of the logits' type.
    """
    if kind == "sparse_cross_entropy":
        flat = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        return flat.view(labels.shape)
    if kind == "binary_cross_entropy":
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(2)
    return functional.mse_loss(logits, labels, reduction="none").mean(2)


def probabilities(kind: Loss, logits: Tensor) -> Tensor:
    """Return the probabilities [lanes, batch, units] of the classes, or of class 1."""
    return logits.softmax(2) if kind == "sparse_cross_entropy" else logits.sigmoid()


def correct(kind: Loss, logits: Tensor, labels: Tensor) -> Tensor:
    """Return which examples are classified right, [lanes, batch]."""
    if kind == "sparse_cross_entropy":
        return logits.argmax(2) == labels
    return ((logits.sigmoid() > 0.5) == (labels > 0.5)).all(2)
