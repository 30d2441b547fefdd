"""Penalties on kernels: their values, and what they add to the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manyseeds.techniques.network import Network
from manyseeds_pytorch.native import native
from manyseeds_pytorch.optimizers import Hook, Piece


@dataclass(frozen=True)
class KernelPenalty:
    """l1 sum |w| + l2 sum w^2."""

    l1: float
    l2: float

    def value(self, kernel: Tensor) -> Tensor:
        """Return that of every lane of a kernel [lanes, units, fan_in]: [lanes]."""
        return self.add(kernel, torch.zeros_like(kernel))

    def add(self, kernel: Tensor, gradient: Tensor) -> Tensor:
        """Add its slope to a gradient, in place, and return its value, [lanes].

        The slope of |w| at 0 is 0.
        """
        pair = kernel.view(len(kernel), -1), gradient.view(len(kernel), -1)
        return (self._in_graph if kernel.is_cuda else self._on_host)(*pair)

    def _on_host(self, kernel: Tensor, gradient: Tensor) -> Tensor:
        value = kernel.new_empty(len(kernel))
        kind = value.numpy().dtype.type
        _add(kernel.numpy(), gradient.numpy(), kind(self.l1), kind(self.l2), value.numpy())
        return value

    def _in_graph(self, kernel: Tensor, gradient: Tensor) -> Tensor:
        gradient.add_(torch.sign(kernel), alpha=self.l1).add_(kernel, alpha=2 * self.l2)
        ones = torch.linalg.vector_norm(kernel, ord=1, dim=1)
        return self.l1 * ones + self.l2 * torch.linalg.vecdot(kernel, kernel)


@native(
    [
        "void(float32[:, ::1], float32[:, ::1], float32, float32, float32[::1])",
        "void(float64[:, ::1], float64[:, ::1], float64, float64, float64[::1])",
    ],
    fastmath={"reassoc"},
)
def _add(kernel: Any, gradient: Any, l1: Any, l2: Any, value: Any) -> None:
    """Do all in one pass, where the sums may be taken in the order of the vector registers."""
    zero, twice = l1 - l1, l2 + l2
    for lane in range(kernel.shape[0]):
        ones, squares = zero, zero
        for place in range(kernel.shape[1]):
            weight = kernel[lane, place]
            slope = l1 if weight > zero else -l1
            gradient[lane, place] += (zero if weight == zero else slope) + twice * weight
            ones += abs(weight)
            squares += weight * weight
        value[lane] = l1 * ones + l2 * squares


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
                layer.penalty.hyperparameters().get("l1", 0.0),
                layer.penalty.hyperparameters().get("l2", 0.0),
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

    def begin(self) -> None:
        """Prepare a step."""
        if self.value is not None:
            self.value.copy_(self._still)

    def hooks(self) -> list[Hook]:
        """Return what adds to the gradients, where there is something to add."""
        return [self.add] if self._learning else []

    def add(self, piece: Piece) -> None:
        """Add to the value and to the gradients, in place."""
        assert self.value is not None
        for place, penalty in self._learning.items():
            for kernel, gradient in piece.of(place):
                self.value[piece.lanes].add_(penalty.add(kernel, gradient))
