"""x W + b in every lane; the backward pass writes the gradients of W and b to buffers.

Autograd would allocate them anew at every step. For many lanes that maps so much fresh memory that
it takes longer than the products.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from manyseeds_pytorch.lanes import lane_tiles
from manyseeds_pytorch.layers_pass import ForwardPass, Variables, store_gradient
from manyseeds_pytorch.layers_workspace import Workspace
from manyseeds_pytorch.noise import as_floats


def affine(inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
    """Return x W + b, [lanes, batch, units].

    Parameters
    ----------
    inputs
        [lanes, batch, fan_in].
    variables
        "kernel", [lanes, units, fan_in], the layout of `nn.Linear`, which makes its gradient a
        third faster; and "bias", [lanes, 1, units], if the layer has one.
    forward_pass
        The pass, which holds the buffers of the gradients.
    """
    kernel, bias = variables["kernel"], variables.get("bias")
    if torch.is_grad_enabled():
        return _Affine.apply(inputs, kernel, bias, forward_pass)
    return _product(inputs, kernel, bias)


def _product(inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    columns = kernel.mT
    return torch.bmm(inputs, columns) if bias is None else torch.baddbmm(bias, inputs, columns)


class _Affine(Function):
    """x W + b."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, kernel: Tensor, bias: Tensor | None, forward_pass: ForwardPass
    ) -> Tensor:
        ctx.save_for_backward(inputs, kernel)
        ctx.bias, ctx.forward_pass = bias, forward_pass
        return _product(inputs, kernel, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None]:
        inputs, kernel = ctx.saved_tensors
        (gradient,) = gradients
        forward_pass: ForwardPass = ctx.forward_pass
        # This needs the kernel and must come first: the buffer of the kernel's gradient may be the
        # kernel itself, or the optimizer may update the kernel as soon as the buffer is full.
        below = torch.bmm(gradient, kernel) if ctx.needs_input_grad[0] else None
        if kernel.requires_grad:
            beta = float(forward_pass.accumulate)
            for lanes, buffer in forward_pass.gradient_buffers(kernel):
                columns = gradient[lanes].mT
                torch.baddbmm(buffer, columns, inputs[lanes], beta=beta, out=buffer)
        _store_bias_gradient(ctx.bias, gradient, forward_pass)
        return below, None, None, None


def _store_bias_gradient(bias: Tensor | None, gradient: Tensor, forward_pass: ForwardPass) -> None:
    if bias is not None and bias.requires_grad:
        own = gradient.sum(1, keepdim=True)
        store_gradient(bias, own, accumulate=forward_pass.accumulate)


@dataclass(frozen=True)
class LaneDropConnect:
    """An affine map that drops weights of its kernel in training.

    Attributes
    ----------
    label
        Label of the noise.
    threshold
        The least half that keeps a weight (`manyseeds.randomness.noise.threshold`).
    scale
        Factor of the weights that are not dropped.
    workspace
        Memory for a few lanes of the kernel.
    """

    label: str
    threshold: int
    scale: float
    workspace: Workspace = field(default_factory=Workspace)

    def affine(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        """Return x (W mask) scale + b, with the shapes of `affine`."""
        kernel = variables["kernel"]
        _, units, fan_in = kernel.shape
        noise = forward_pass.noise[self.label]
        mask = noise.keep_transposed(forward_pass.step, (fan_in, units), self.threshold)
        # Scaling the inputs is the same as scaling the weights, and there are fewer of them.
        scaled = inputs * self.scale
        bias = variables.get("bias")
        return _MaskedAffine.apply(scaled, kernel, bias, mask, self.workspace, forward_pass)


class _MaskedAffine(Function):
    """x (W mask) + b, a few lanes at a time, so that no second kernel of all lanes is written.

    The mask has the kernel's shape. A few lanes of the masked kernel are put in the workspace.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        kernel: Tensor,
        bias: Tensor | None,
        mask: Tensor,
        workspace: Workspace,
        forward_pass: ForwardPass,
    ) -> Tensor:
        ctx.save_for_backward(inputs, kernel, mask)
        ctx.bias, ctx.workspace, ctx.forward_pass = bias, workspace, forward_pass
        outputs = inputs.new_empty(*inputs.shape[:2], kernel.shape[1])
        for lanes in lane_tiles([kernel]):
            masked = _masked(kernel[lanes], mask[lanes], workspace)
            torch.bmm(inputs[lanes], masked.mT, out=outputs[lanes])
        return outputs if bias is None else outputs.add_(bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, kernel, mask = ctx.saved_tensors
        (gradient,) = gradients
        below = None
        if ctx.needs_input_grad[0]:
            below = torch.empty_like(inputs)
            for lanes in lane_tiles([kernel]):
                masked = _masked(kernel[lanes], mask[lanes], ctx.workspace)
                torch.bmm(gradient[lanes], masked, out=below[lanes])
        if kernel.requires_grad:
            for lanes, buffer in ctx.forward_pass.gradient_buffers(kernel):
                columns = gradient[lanes].mT
                _store_masked_gradient(buffer, columns, inputs[lanes], mask[lanes], ctx)
        _store_bias_gradient(ctx.bias, gradient, ctx.forward_pass)
        return below, None, None, None, None, None


def _masked(kernel: Tensor, mask: Tensor, workspace: Workspace) -> Tensor:
    """Return a kernel whose dropped weights are 0."""
    return as_floats(mask, workspace.like(kernel, "kernel")).mul_(kernel)


def _store_masked_gradient(
    buffer: Tensor, columns: Tensor, inputs: Tensor, mask: Tensor, ctx: Any
) -> None:
    """Store the gradient of the weights that are not dropped, a few lanes at a time."""
    for lanes in lane_tiles([buffer]):
        part = buffer[lanes]
        factors = as_floats(mask[lanes], ctx.workspace.like(part, "kernel"))
        if ctx.forward_pass.accumulate:
            gradient = ctx.workspace.like(part, "gradient")
            torch.bmm(columns[lanes], inputs[lanes], out=gradient)
            part.addcmul_(gradient, factors)
        else:
            torch.bmm(columns[lanes], inputs[lanes], out=part).mul_(factors)
