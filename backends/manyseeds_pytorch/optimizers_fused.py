"""AdaGrad's and Adam's updates in one pass over memory, by PyTorch's fused kernels."""

from __future__ import annotations

import torch

from manyseeds_pytorch.optimizers_base import Tensors


def fused_adagrad(theta: Tensors, g: Tensors, n: Tensors, *, rate: float, epsilon: float) -> None:
    """Add g^2 to n, then subtract eta g / (sqrt(n) + eps) from theta, in place.

    PyTorch before 2.9 has no fused kernel of it for a GPU.
    """
    if not theta[0].is_cpu:
        torch._foreach_addcmul_(n, g, g)
        scale = torch._foreach_sqrt(n)
        torch._foreach_add_(scale, epsilon)
        return torch._foreach_addcdiv_(theta, g, scale, value=-rate)
    return torch._fused_adagrad_(
        *(theta, g, n, [torch.ones(())] * len(theta)),
        lr=rate,
        lr_decay=0.0,
        weight_decay=0.0,
        eps=epsilon,
        maximize=False,
    )


def fused_adam(
    theta: Tensors,
    g: Tensors,
    m: Tensors,
    s: Tensors,
    largest: Tensors | None = None,
    *,
    rate: float,
    beta1: float,
    beta2: float,
    step: float,
    epsilon: float,
) -> None:
    """Take Adam's step in place, with epsilon outside the root, after bias correction.

    Parameters
    ----------
    theta, g
        Parameters and gradients.
    m, s
        First and second moments; either may be `g`, which is then overwritten.
    largest
        AMSGrad's largest second moments.
    rate, beta1, beta2, epsilon
        Hyperparameters.
    step
        Number of the step, from 1; infinite for no bias correction.
    """
    number = torch.full((), step, device=theta[0].device, dtype=torch.float32)
    torch._fused_adam_(
        *(theta, g, m, s, largest or [], [number] * len(theta)),
        lr=rate,
        beta1=beta1,
        beta2=beta2,
        weight_decay=0.0,
        eps=epsilon,
        amsgrad=largest is not None,
        maximize=False,
    )
