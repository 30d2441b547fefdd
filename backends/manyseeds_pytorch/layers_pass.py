"""One pass through a network: its mode, its noise, and how its backward pass stores gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from manyseeds_pytorch.noise import Noise

Variables = Mapping[str, Tensor]
"""A layer's variables by their own names, in the shapes of `network.LaneNetwork`."""

GradientBuffers = Callable[[Tensor], Iterator[tuple[slice, Tensor]]]
"""Yields the lanes of a kernel in turn, each with the buffer that must hold their gradient before
the next is requested."""


def whole_gradient(kernel: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield all lanes of a kernel at once, with the buffer allocated in `.grad`."""
    assert kernel.grad is not None
    yield slice(0, len(kernel)), kernel.grad


@dataclass(frozen=True)
class ForwardPass:
    """The mode of one pass through a network; the default is prediction.

    Attributes
    ----------
    training
        Layers behave as in a training step, with their noise and the batch's own statistics.
    dropout
        Dropout and alpha dropout are on.
    update_averages
        Batch normalisation updates its moving averages.
    accumulate
        The backward pass adds to the gradient buffers; otherwise it overwrites them.
    gradient_buffers
        The buffers in which the backward pass stores the gradients of kernels.
    noise, step
        The network's noises by label, and the step in their counter.
    outputs
        Outputs of the layers that skip connections add, by label.
    """

    training: bool = False
    dropout: bool = False
    update_averages: bool = False
    accumulate: bool = False
    gradient_buffers: GradientBuffers = whole_gradient
    noise: Mapping[str, Noise] = field(default_factory=dict)
    step: int = 0
    outputs: Mapping[str, Tensor] = field(default_factory=dict)


def store_gradient(variable: Tensor, gradient: Tensor, *, accumulate: bool) -> None:
    """Store a gradient in the buffer allocated in `.grad`."""
    buffer = variable.grad
    assert buffer is not None
    buffer.add_(gradient) if accumulate else buffer.copy_(gradient)


def storing_gradient(variable: Tensor, forward_pass: ForwardPass) -> Tensor:
    """Return a variable whose gradient, if it needs one, will be stored in `.grad`."""
    if torch.is_grad_enabled() and variable.requires_grad:
        return _StoringGradient.apply(variable, forward_pass.accumulate)
    return variable


class _StoringGradient(Function):
    """The identity. By itself autograd could only add to `.grad`, never overwrite it."""

    @staticmethod
    def forward(ctx: Any, variable: Tensor, accumulate: bool) -> Tensor:
        ctx.variable, ctx.accumulate = variable, accumulate
        return variable.view_as(variable)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        store_gradient(ctx.variable, gradients[0], accumulate=ctx.accumulate)
        return None, None
