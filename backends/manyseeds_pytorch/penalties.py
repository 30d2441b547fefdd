"""Penalties on kernels: their values, and their contribution to the gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.techniques.network import Network
from manyseeds_pytorch.device_native import Loop
from manyseeds_pytorch.optimizers_base import Hook, ParameterTile


def has_penalty(network: Network) -> bool:
    """Return whether any kernel of a network has a penalty."""
    return any(layer.penalty for layer in network.dense())


@dataclass(frozen=True)
class _KernelPenalty:
    """l1 sum |w| + l2 sum w^2.

    Attributes
    ----------
    l1, l2
        The factors.
    loop
        `penalties_native.add_penalty`, compiled.
    """

    l1: float
    l2: float
    loop: Loop

    def value(self, kernel: Tensor) -> Tensor:
        """Return the penalty of a kernel [lanes, units, fan_in] in every lane, [lanes]."""
        return self.add(kernel, torch.zeros_like(kernel))

    def add(self, kernel: Tensor, gradient: Tensor) -> Tensor:
        """Add the penalty's slope to a gradient, in place, and return its value, [lanes].

        The slope of |w| at 0 is 0.
        """
        pair = kernel.view(len(kernel), -1), gradient.view(len(kernel), -1)
        return (self._in_graph if kernel.is_cuda else self._on_host)(*pair)

    def _on_host(self, kernel: Tensor, gradient: Tensor) -> Tensor:
        value = kernel.new_empty(len(kernel))
        number = value.numpy().dtype.type
        factors = number(self.l1), number(self.l2)
        self.loop(kernel.numpy(), gradient.numpy(), *factors, value.numpy())
        return value

    def _in_graph(self, kernel: Tensor, gradient: Tensor) -> Tensor:
        gradient.add_(torch.sign(kernel), alpha=self.l1).add_(kernel, alpha=2 * self.l2)
        ones = torch.linalg.vector_norm(kernel, ord=1, dim=1)
        return self.l1 * ones + self.l2 * torch.linalg.vecdot(kernel, kernel)


class Penalties:
    """The penalties of a network in all lanes, for one phase.

    Parameters
    ----------
    network
        The network, whose layers hold the penalties of their kernels.
    variables
        All variables, by name.
    trained
        The trained ones among them, by name; the others keep their values.
    loop
        `penalties_native.add_penalty`, compiled.

    Attributes
    ----------
    value
        The sum of the penalties at the last step, [lanes]; None if the network has no penalty.
    """

    def __init__(
        self,
        network: Network,
        variables: Mapping[str, Tensor],
        trained: Mapping[str, Tensor],
        loop: Loop,
    ) -> None:
        penalties = {
            f"{layer.label}/kernel": _KernelPenalty(
                layer.penalty.hyperparameters().get("l1", 0.0),
                layer.penalty.hyperparameters().get("l2", 0.0),
                loop,
            )
            for layer in network.dense()
            if layer.penalty
        }
        names = list(trained)
        self._trained = {
            names.index(name): penalty for name, penalty in penalties.items() if name in trained
        }
        frozen = [
            penalty.value(variables[name].detach())
            for name, penalty in penalties.items()
            if name not in trained
        ]
        example = next(iter(variables.values()))
        self._frozen = torch.stack(frozen).sum(0) if frozen else example.new_zeros(len(example))
        self.value = self._frozen.clone() if has_penalty(network) else None

    def begin_step(self) -> None:
        """Reset the value to the penalties of the frozen kernels."""
        if self.value is not None:
            self.value.copy_(self._frozen)

    def hooks(self) -> list[Hook]:
        """Return the hook that adds to the gradients, if a trained kernel has a penalty."""
        return [self.add] if self._trained else []

    def add(self, tile: ParameterTile) -> None:
        """Add a tile's penalties to the value, and their slopes to the gradients, in place."""
        assert self.value is not None
        for index, penalty in self._trained.items():
            for kernel, gradient in tile.parameter(index):
                self.value[tile.lanes].add_(penalty.add(kernel, gradient))
