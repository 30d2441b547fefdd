"""Batch normalisation of stacked values, [lanes, batch, units], each lane with its own batch.

`functional.batch_norm` would want the lanes beside the units, copied there and back, and moves an
average of the unbiased variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from manyseeds_pytorch.run import Run, Variables, received


@dataclass(frozen=True)
class BatchNorm:
    """gamma (x - mu) / sqrt(v + epsilon) + beta, for each lane and unit.

    Attributes
    ----------
    momentum, epsilon
        As in `manyseeds.techniques.layers.BatchNorm`.
    frozen
        Whether mu and v are the moving ones in training, too.
    """

    momentum: float
    epsilon: float
    frozen: bool

    def __call__(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return the outputs, shaped as the inputs."""
        gamma, beta = (received(variables[name], run) for name in ("gamma", "beta"))
        moving = variables["moving_mean"], variables["moving_variance"]
        if run.training and not self.frozen:
            outputs, *statistics = _Normalised.apply(inputs, gamma, beta, self.epsilon)
            if run.moving:
                for average, found in zip(moving, statistics, strict=True):
                    average.lerp_(found, 1 - self.momentum)
            return outputs
        scale = gamma * torch.rsqrt(moving[1] + self.epsilon)
        return torch.addcmul(beta - moving[0] * scale, inputs, scale)


class _Normalised(Function):
    """The outputs, with the batch's mean and biased variance, [lanes, 1, units] each."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean = inputs.mean(1, keepdim=True)
        centred = inputs - mean
        outputs = centred * centred
        variance = outputs.mean(1, keepdim=True)
        inverse = torch.rsqrt(variance + epsilon)
        normal = centred.mul_(inverse)
        torch.addcmul(beta, normal, gamma, out=outputs)
        ctx.save_for_backward(normal, gamma * inverse)
        ctx.mark_non_differentiable(mean, variance)
        ctx.set_materialize_grads(False)
        return outputs, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        normal, scale = ctx.saved_tensors
        gradient, rows = gradients[0], normal.shape[1]
        product = gradient * normal
        gamma, beta = product.sum(1, keepdim=True), gradient.sum(1, keepdim=True)
        if not ctx.needs_input_grad[0]:
            return None, gamma, beta, None
        below = torch.addcmul(gradient, normal, gamma, value=-1 / rows, out=product)
        return below.sub_(beta, alpha=1 / rows).mul_(scale), gamma, beta, None
