"""x W + b in every lane, whose backward pass leaves the gradients of W and b in rooms.

Autograd would allocate them anew at every step; for many lanes that maps so much fresh memory
that it takes longer than the products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from manyseeds_pytorch.device import tiles
from manyseeds_pytorch.run import Run, Variables, leave


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
        return _Affine.apply(inputs, kernel, bias, run.keep)
    return _product(inputs, kernel, bias)


def _product(inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    columns = kernel.mT
    return torch.bmm(inputs, columns) if bias is None else torch.baddbmm(bias, inputs, columns)


class _Affine(Function):
    """x W + b. `keep` says whether gradients are added to what stands in their rooms."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, kernel: Tensor, bias: Tensor | None, keep: bool
    ) -> Tensor:
        ctx.save_for_backward(inputs, kernel)
        ctx.bias, ctx.keep = bias, keep
        return _product(inputs, kernel, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        inputs, kernel = ctx.saved_tensors
        (gradient,) = gradients
        # First what needs the kernel: the room in `.grad` may be the kernel itself.
        below = torch.bmm(gradient, kernel) if ctx.needs_input_grad[0] else None
        if kernel.requires_grad:
            room = kernel.grad
            torch.baddbmm(room, gradient.mT, inputs, beta=float(ctx.keep), out=room)
        _leave_bias(ctx.bias, gradient, ctx.keep)
        return below, None, None, None


def _leave_bias(bias: Tensor | None, gradient: Tensor, keep: bool) -> None:
    if bias is not None and bias.requires_grad:
        leave(bias, gradient.sum(1, keepdim=True), keep)


@dataclass(frozen=True)
class DropConnect:
    """Which weights of a kernel stay in training.

    Attributes
    ----------
    label
        Of the noise.
    threshold
        The least half that is kept (`manyseeds.noise.threshold`).
    scale
        What a kept weight is multiplied by.
    """

    label: str
    threshold: int
    scale: float

    def affine(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return what `affine` does, with a part of the kernel."""
        kernel = variables["kernel"]
        _, units, fan_in = kernel.shape
        kept = run.noise[self.label].kept(run.step, units * fan_in, self.threshold)
        stays = kept.view(-1, fan_in, units).mT.contiguous()
        return _PartlyAffine.apply(
            inputs, kernel, variables.get("bias"), stays, self.scale, run.keep
        )


class _PartlyAffine(Function):
    """x (W mask scale) + b, a few lanes at a time: no second kernel of all lanes is written down.

    `stays` is shaped as the kernel.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
        stays: Tensor,
        scale: float,
        keep: bool,
    ) -> Tensor:
        ctx.save_for_backward(inputs, kernel, stays)
        ctx.bias, ctx.scale, ctx.keep = bias, scale, keep
        outputs = inputs.new_empty(*inputs.shape[:2], kernel.shape[1])
        for span in tiles([kernel]):
            part = stays[span].to(kernel.dtype).mul_(kernel[span]).mul_(scale)
            torch.bmm(inputs[span], part.mT, out=outputs[span])
        return outputs if bias is None else outputs.add_(bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, kernel, stays = ctx.saved_tensors
        (gradient,) = gradients
        below = torch.empty_like(inputs) if ctx.needs_input_grad[0] else None
        for span in tiles([kernel]):
            mask = stays[span].to(kernel.dtype).mul_(ctx.scale)
            if below is not None:
                torch.bmm(gradient[span], mask * kernel[span], out=below[span])
            if kernel.requires_grad:
                found = torch.bmm(gradient[span].mT, inputs[span])
                room = kernel.grad[span]
                room.addcmul_(found, mask) if ctx.keep else torch.mul(found, mask, out=room)
        _leave_bias(ctx.bias, gradient, ctx.keep)
        return below, None, None, None, None, None
