"""Activations of stacked values, [lanes, batch, units], forwards and backwards.

They are PyTorch's own where a slope is one number; at exactly 0 their derivatives are those of the
negative branch, as `manyseeds.techniques.activations` wants (tested).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function
from torch.nn import functional

from manyseeds.techniques import activations as definition
from manyseeds_pytorch.run import Run, Variables, received

Activate = Callable[[Tensor, Variables, Run], Tensor]
"""Values before, a layer's variables and the run -> values after."""

_NO_SHORTCUT = 50.0
"""Softplus of more than this is its argument, to the last bit of float64: PyTorch's default of 20
is not."""


def _unchanged(values: Tensor) -> Tensor:
    return values


_ONE_ARGUMENT: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": _unchanged,
    "logistic": torch.sigmoid,
    "softmax": _unchanged,  # An output's only, and the losses start from the logits.
    "tanh": torch.tanh,
    "relu": torch.relu,
    "selu": torch.selu,
    "softplus": partial(functional.softplus, beta=1.0, threshold=_NO_SHORTCUT),
}


def activation(function: definition.Activation, label: str = "") -> Activate:
    """Return an activation of the layer `label`, every hyperparameter spelled out."""
    match function:
        case definition.LeakyRelu():
            return _Plain(partial(functional.leaky_relu, negative_slope=function.alpha))
        case definition.Elu():
            return _Plain(partial(functional.elu, alpha=function.alpha))
        case definition.RRelu():
            return _RRelu(label, function.lower, function.upper)
        case definition.PRelu():
            return _prelu
        case _:
            return _Plain(_ONE_ARGUMENT[function.name])


@dataclass(frozen=True)
class _Plain:
    """An activation that depends on the values alone."""

    function: Callable[[Tensor], Tensor]

    def __call__(self, values: Tensor, variables: Variables, run: Run) -> Tensor:
        return self.function(values)


@dataclass(frozen=True)
class _RRelu:
    """`functional.rrelu` draws its slopes from PyTorch's own generator; these are the stream's."""

    label: str
    lower: float
    upper: float

    def __call__(self, values: Tensor, variables: Variables, run: Run) -> Tensor:
        if not run.training:
            return functional.leaky_relu(values, (self.lower + self.upper) / 2)
        fractions = run.noise[self.label].fractions(run.step, values[0].numel())
        slopes = fractions.mul_(self.upper - self.lower).add_(self.lower)
        return _Leak.apply(values, slopes.view(values.shape))


def _prelu(values: Tensor, variables: Variables, run: Run) -> Tensor:
    """`functional.prelu` knows one axis of slopes, and the lanes are a second."""
    return _Leak.apply(values, received(variables["slope"], run))


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
        below = learned = None
        if ctx.needs_input_grad[0]:
            below = torch.where(values > 0, gradient, slope * gradient)
        if ctx.needs_input_grad[1]:
            learned = values.clamp(max=0).mul_(gradient).sum(1, keepdim=True)
        return below, learned
