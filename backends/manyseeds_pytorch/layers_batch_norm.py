"""Batch normalisation of stacked values [lanes, batch, units], with each lane's own batch.

`functional.batch_norm` would need the lanes beside the units, copied there and back, and it
updates a moving average of the unbiased variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from manyseeds_pytorch.layers_pass import ForwardPass, Variables, storing_gradient


@dataclass(frozen=True)
class LaneBatchNorm:
    """gamma (x - mu) / sqrt(v + epsilon) + beta, for each lane and unit.

    Attributes
    ----------
    momentum, epsilon
        As in `manyseeds.techniques.layers.BatchNorm`.
    frozen
        Whether mu and v are the moving averages in training, too.
    """

    momentum: float
    epsilon: float
    frozen: bool

    def __call__(self, inputs: Tensor, variables: Variables, forward_pass: ForwardPass) -> Tensor:
        """Return the outputs, in the shape of the inputs."""
        gamma, beta = (
            storing_gradient(variables[name], forward_pass) for name in ("gamma", "beta")
        )
        averages = variables["moving_mean"], variables["moving_variance"]
        if forward_pass.training and not self.frozen:
            outputs, *statistics = _Normalised.apply(inputs, gamma, beta, self.epsilon)
            if forward_pass.update_averages:
                for average, statistic in zip(averages, statistics, strict=True):
                    average.lerp_(statistic, 1 - self.momentum)
            return outputs
        scale = gamma * torch.rsqrt(averages[1] + self.epsilon)
        return torch.addcmul(beta - averages[0] * scale, inputs, scale)


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
