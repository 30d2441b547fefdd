"""x W + b in every lane, whose backward pass leaves the gradients of W and b in rooms.

Autograd would allocate them anew at every step; for many lanes that maps so much fresh memory
that it takes longer than the products.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from manyseeds_pytorch.device import tiles
from manyseeds_pytorch.noise import as_numbers
from manyseeds_pytorch.run import Run, Variables, leave
from manyseeds_pytorch.workspace import Workspace


def affine(inputs: Tensor, variables: Variables, run: Run) -> Tensor:
    """Return x W + b, [lanes, batch, units].

    Parameters
    ----------
    inputs
        [lanes, batch, fan_in].
    variables
        "kernel", [lanes, units, fan_in], as `nn.Linear` keeps it: its gradient is then a third
        faster. "bias", [lanes, 1, units], or none.
    run
        Says how gradients are left.
    """
    kernel, bias = variables["kernel"], variables.get("bias")
    if torch.is_grad_enabled():
        return _Affine.apply(inputs, kernel, bias, run)
    return _product(inputs, kernel, bias)


def _product(inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    columns = kernel.mT
    return torch.bmm(inputs, columns) if bias is None else torch.baddbmm(bias, inputs, columns)


class _Affine(Function):
    """x W + b. The run says how gradients are left."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kernel: Tensor, bias: Tensor | None, run: Run) -> Tensor:
        ctx.save_for_backward(inputs, kernel)
        ctx.bias, ctx.run = bias, run
        return _product(inputs, kernel, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        inputs, kernel = ctx.saved_tensors
        (gradient,) = gradients
        run: Run = ctx.run
        # First what needs the kernel: its room may be the kernel itself, or be used at once.
        below = torch.bmm(gradient, kernel) if ctx.needs_input_grad[0] else None
        if kernel.requires_grad:
            for lanes, room in run.rooms(kernel):
                columns = gradient[lanes].mT
                torch.baddbmm(room, columns, inputs[lanes], beta=float(run.keep), out=room)
        _leave_bias(ctx.bias, gradient, run)
        return below, None, None, None


def _leave_bias(bias: Tensor | None, gradient: Tensor, run: Run) -> None:
    if bias is not None and bias.requires_grad:
        leave(bias, gradient.sum(1, keepdim=True), run.keep)


@dataclass(frozen=True)
class DropConnect:
    """Which weights of a kernel stay in training.

    Attributes
    ----------
    label
        Of the noise.
    threshold
        The least half that is kept (`manyseeds.randomness.noise.threshold`).
    scale
        What a kept weight is multiplied by.
    room
        Where a few lanes are worked on.
    """

    label: str
    threshold: int
    scale: float
    room: Workspace = field(default_factory=Workspace)

    def affine(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return what `affine` does, with a part of the kernel."""
        kernel = variables["kernel"]
        _, units, fan_in = kernel.shape
        noise = run.noise[self.label]
        stays = noise.kept_transposed(run.step, (fan_in, units), self.threshold)
        # What multiplies every weight that stays may as well multiply the inputs: they are fewer.
        scaled = inputs * self.scale
        return _PartlyAffine.apply(scaled, kernel, variables.get("bias"), stays, self.room, run)


class _PartlyAffine(Function):
    """x (W mask) + b, a few lanes at a time: no second kernel of all lanes is written down.

    `stays` is shaped as the kernel; in `room` a few lanes are worked on.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
        stays: Tensor,
        room: Workspace,
        run: Run,
    ) -> Tensor:
        ctx.save_for_backward(inputs, kernel, stays)
        ctx.bias, ctx.room, ctx.run = bias, room, run
        outputs = inputs.new_empty(*inputs.shape[:2], kernel.shape[1])
        for lanes in tiles([kernel]):
            part = _part(kernel[lanes], stays[lanes], room)
            torch.bmm(inputs[lanes], part.mT, out=outputs[lanes])
        return outputs if bias is None else outputs.add_(bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, kernel, stays = ctx.saved_tensors
        (gradient,) = gradients
        below = None
        if ctx.needs_input_grad[0]:
            below = torch.empty_like(inputs)
            for lanes in tiles([kernel]):
                part = _part(kernel[lanes], stays[lanes], ctx.room)
                torch.bmm(gradient[lanes], part, out=below[lanes])
        if kernel.requires_grad:
            for lanes, left in ctx.run.rooms(kernel):
                columns = gradient[lanes].mT
                _leave_part(left, columns, inputs[lanes], stays[lanes], ctx)
        _leave_bias(ctx.bias, gradient, ctx.run)
        return below, None, None, None, None, None


def _part(kernel: Tensor, stays: Tensor, room: Workspace) -> Tensor:
    """Return a kernel, 0 where nothing stays."""
    return as_numbers(stays, room.like(kernel, "part")).mul_(kernel)


def _leave_part(left: Tensor, columns: Tensor, inputs: Tensor, stays: Tensor, ctx: Any) -> None:
    """Leave the gradient of what stays, a few lanes at a time."""
    for lanes in tiles([left]):
        here = left[lanes]
        mask = as_numbers(stays[lanes], ctx.room.like(here, "part"))
        if ctx.run.keep:
            found = ctx.room.like(here, "found")
            torch.bmm(columns[lanes], inputs[lanes], out=found)
            here.addcmul_(found, mask)
        else:
            torch.bmm(columns[lanes], inputs[lanes], out=here).mul_(mask)
