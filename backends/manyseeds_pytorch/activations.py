"""Activations of stacked values [lanes, batch, units], forward and backward.

All but the ReLUs with more than one slope are PyTorch's own. At exactly 0 the derivatives are those
of the negative branch, as `manyseeds.techniques.activations` defines them (tested).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function
from torch.nn import functional

from manyseeds.techniques.activations import Activation, Elu, LeakyRelu, PRelu, RRelu
from manyseeds_pytorch.layers_pass import ForwardPass, Variables, storing_gradient

_SOFTPLUS_THRESHOLD = 50.0
"""Softplus of more than this equals its argument to the last bit of float64, which is not true of
PyTorch's default of 20."""


def _identity(values: Tensor) -> Tensor:
    return values


_WITHOUT_PARAMETERS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": _identity,
    "logistic": torch.sigmoid,
    "softmax": _identity,  # Only an output has it, and the losses start from the logits.
    "tanh": torch.tanh,
    "relu": torch.relu,
    "selu": torch.selu,
    "softplus": partial(functional.softplus, beta=1.0, threshold=_SOFTPLUS_THRESHOLD),
}


def activate(
    function: Activation,
    values: Tensor,
    variables: Variables,
    forward_pass: ForwardPass,
    label: str = "",
) -> Tensor:
    """Apply an activation.

    Parameters
    ----------
    function
        The activation, with its hyperparameters.
    values
        [lanes, batch, units].
    variables
        The layer's variables; a PReLU has "slope", [lanes, 1, units].
    forward_pass
        The mode of the pass: random slopes or not, and the way gradients are stored.
    label
        The layer's label, which is also that of its noise.
    """
    match function:
        case LeakyRelu():
            return functional.leaky_relu(values, negative_slope=function.alpha)
        case Elu():
            return functional.elu(values, alpha=function.alpha)
        case RRelu():
            return _rrelu(function, values, forward_pass, label)
        case PRelu():
            # `functional.prelu` has one axis of slopes, and the lanes need a second.
            return _Leak.apply(values, storing_gradient(variables["slope"], forward_pass))
        case _:
            return _WITHOUT_PARAMETERS[function.name](values)


def _rrelu(function: RRelu, values: Tensor, forward_pass: ForwardPass, label: str) -> Tensor:
    """Apply a randomised ReLU with slopes from the shared noise, not PyTorch's own generator."""
    lower, upper = function.lower, function.upper
    if not forward_pass.training:
        return functional.leaky_relu(values, (lower + upper) / 2)
    fractions = forward_pass.noise[label].fractions(forward_pass.step, values[0].numel())
    slopes = fractions.mul_(upper - lower).add_(lower)
    return _Leak.apply(values, slopes.view(values.shape))


class _Leak(Function):
    """z if z > 0, else slope z; slopes [lanes, batch, units], or learned ones [lanes, 1, units]."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(values, slope)
        return torch.where(values > 0, values, slope * values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        values, slope = ctx.saved_tensors
        (gradient,) = gradients
        below = slope_gradient = None
        if ctx.needs_input_grad[0]:
            below = torch.where(values > 0, gradient, slope * gradient)
        if ctx.needs_input_grad[1]:
            slope_gradient = values.clamp(max=0).mul_(gradient).sum(1, keepdim=True)
        return below, slope_gradient
