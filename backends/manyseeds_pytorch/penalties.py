"""Penalties on kernels: their values, and what they add to the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.network import Network
from manyseeds_pytorch.optimizers import Hook, Tensors


@dataclass(frozen=True)
class KernelPenalty:
    """l1 sum |w| + l2 sum w^2; None for what it has not."""

    l1: float | None
    l2: float | None

    def value(self, kernel: Tensor) -> Tensor:
        """Return that of every lane of a kernel [lanes, units, fan_in]: [lanes]."""
        value = kernel.new_zeros(len(kernel))
        if self.l1 is not None:
            value.add_(kernel.abs().sum((1, 2)), alpha=self.l1)
        if self.l2 is not None:
            value.add_(torch.linalg.vector_norm(kernel, dim=(1, 2)).square_(), alpha=self.l2)
        return value

    def add_slope(self, kernel: Tensor, gradient: Tensor) -> None:
        """Add its derivative to a gradient, in place; that of |w| at 0 is 0."""
        if self.l1 is not None:
            gradient.add_(kernel.sign(), alpha=self.l1)
        if self.l2 is not None:
            gradient.add_(kernel, alpha=2 * self.l2)


class Penalties:
    """Those of a network in all lanes.

    Parameters
    ----------
    network
        Says which kernels have one.
    variables
        All, by name; those that are not in `learning` stay as they are.
    learning
        What is trained, by name.

    Attributes
    ----------
    value
        The sum as the last step found it, [lanes]; None where the network has no penalty.
    """

    def __init__(
        self, network: Network, variables: Mapping[str, Tensor], learning: Mapping[str, Tensor]
    ) -> None:
        wanted = {
            f"{layer.label}/kernel": KernelPenalty(
                layer.penalty.hyperparameters().get("l1"), layer.penalty.hyperparameters().get("l2")
            )
            for layer in network.dense()
            if layer.penalty
        }
        names = list(learning)
        self._learning = {names.index(n): each for n, each in wanted.items() if n in learning}
        still = [
            each.value(variables[n].detach()) for n, each in wanted.items() if n not in learning
        ]
        some = next(iter(variables.values()))
        self._still = torch.stack(still).sum(0) if still else some.new_zeros(len(some))
        self.value = self._still.clone() if wanted else None

    def hooks(self) -> list[Hook]:
        """Return what adds to the gradients, where there is something to add."""
        return [self.add] if self._learning else []

    def add(self, span: slice, parameters: Tensors, gradients: Tensors) -> None:
        """Note the value, and add to the gradients in place."""
        assert self.value is not None
        value = self.value[span].copy_(self._still[span])
        for place, penalty in self._learning.items():
            value += penalty.value(parameters[place])
            penalty.add_slope(parameters[place], gradients[place])
