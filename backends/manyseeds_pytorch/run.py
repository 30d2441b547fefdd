"""What a pass through a network is for, and where its backward pass leaves gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from manyseeds_pytorch.noise import Noise

Variables = Mapping[str, Tensor]
"""A layer's variables by their own names, in the shapes of `network.Stack`."""


Rooms = Callable[[Tensor], Iterator[tuple[slice, Tensor]]]
"""The lanes of a kernel in turn, and where the backward pass leaves their gradient before it asks
for the next."""


def whole(kernel: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield all lanes of a kernel, and the room made for their gradient in `.grad`."""
    assert kernel.grad is not None
    yield slice(0, len(kernel)), kernel.grad


@dataclass(frozen=True)
class Run:
    """One pass through a network; without arguments a prediction.

    Attributes
    ----------
    training
        Layers are as in a training step: with their noise and the batch's own statistics.
    dropping
        Dropout and alpha dropout are on.
    moving
        Batch normalisation moves its averages.
    keep
        The backward pass adds to what stands in `.grad`; otherwise it overwrites it.
    rooms
        Where the backward pass leaves the gradients of kernels.
    noise, step
        The network's noises by label, and the step in their counter.
    seen
        What left the layers that a skip connection adds, by label.
    """

    training: bool = False
    dropping: bool = False
    moving: bool = False
    keep: bool = False
    rooms: Rooms = whole
    noise: Mapping[str, Noise] = field(default_factory=dict)
    step: int = 0
    seen: Mapping[str, Tensor] = field(default_factory=dict)


def leave(variable: Tensor, gradient: Tensor, keep: bool) -> None:
    """Leave a gradient in the room made for it in `.grad`."""
    room = variable.grad
    assert room is not None
    room.add_(gradient) if keep else room.copy_(gradient)


def received(variable: Tensor, run: Run) -> Tensor:
    """Return a variable whose gradient, if it has one, will be left in `.grad`."""
    if torch.is_grad_enabled() and variable.requires_grad:
        return _Received.apply(variable, run.keep)
    return variable


class _Received(Function):
    """A variable as it is. Autograd's own way only ever adds to `.grad`."""

    @staticmethod
    def forward(ctx: Any, variable: Tensor, keep: bool) -> Tensor:
        ctx.variable, ctx.keep = variable, keep
        return variable.view_as(variable)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        leave(ctx.variable, gradients[0], ctx.keep)
        return None, None
