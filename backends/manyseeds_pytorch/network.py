"""A network in every lane: its layers over stacked variables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from manyseeds.techniques.activations import Linear
from manyseeds.techniques.layers import Skip
from manyseeds.techniques.network import INPUT, Network
from manyseeds_pytorch.device import Placement
from manyseeds_pytorch.layers import Layer, layer_of
from manyseeds_pytorch.run import Run, Variables


@dataclass(frozen=True)
class Stack:
    """A network in every lane.

    Attributes
    ----------
    network
        Its definition, with the hyperparameters of now.
    lanes
        How many.
    widest
        The most units that leave a layer.
    layers
        By label, from the input upwards; the output gives logits.
    values
        Each layer's variables by their own names. Kernels are [lanes, units, fan_in], all others
        [lanes, 1, units]: see `canonical`.
    sources
        What is remembered for skip connections, by label.
    """

    network: Network
    lanes: int
    widest: int
    layers: Mapping[str, Layer]
    values: Mapping[str, Variables]
    sources: frozenset[str]

    def configured(self, network: Network, frozen: Collection[str]) -> Stack:
        """Return it with the hyperparameters of a network of the same structure."""
        return replace(self, network=network, layers=_layers(network, frozen))

    def part(self, lanes: slice) -> Stack:
        """Return the network of some of the lanes, over the same memory."""
        values = {
            label: {name: value[lanes] for name, value in variables.items()}
            for label, variables in self.values.items()
        }
        return replace(self, lanes=lanes.stop - lanes.start, values=values)

    def outputs(self, inputs: Tensor, run: Run) -> Iterator[tuple[str, Tensor]]:
        """Yield what leaves each layer, [lanes, batch, units], by label; last the logits.

        Inputs are [lanes, batch, features].
        """
        seen = {INPUT: inputs}
        run = replace(run, seen=seen) if self.sources else run
        values = inputs
        for label, layer in self.layers.items():
            values = layer(values, self.values[label], run)
            if label in self.sources:
                seen[label] = values
            yield label, values

    def logits(self, inputs: Tensor, run: Run) -> Tensor:
        """Return the logits [lanes, batch, units]."""
        for _, values in self.outputs(inputs, run):
            logits = values
        return logits

    def variables(self) -> dict[str, Tensor]:
        """Return the variables by "layer/variable", in the order of the layers."""
        return {
            f"{label}/{name}": value
            for label, variables in self.values.items()
            for name, value in variables.items()
        }


def stack(network: Network, features: int, lanes: int, where: Placement) -> Stack:
    """Return a network in every lane, its variables not yet set."""
    values: dict[str, dict[str, Tensor]] = {layer.label: {} for layer in network.layers}
    for name, variable in network.variables(features).items():
        label, own = name.split("/")
        shape = variable.shape[::-1] if own == "kernel" else (1, *variable.shape)
        values[label][own] = torch.zeros((lanes, *shape), device=where.device, dtype=where.dtype)
    return Stack(
        network=network,
        lanes=lanes,
        widest=max(network.widths(features).values()),
        layers=_layers(network, ()),
        values=values,
        sources=frozenset(layer.of for layer in network.layers if isinstance(layer, Skip)),
    )


def _layers(network: Network, frozen: Collection[str]) -> dict[str, Layer]:
    """Return the layers by label; the output's losses start from the logits."""
    *hidden, output = network.layers
    logits = output.model_copy(update={"activation": Linear()})
    return {layer.label: layer_of(layer, frozen) for layer in (*hidden, logits)}


def canonical(name: str, tensor: Tensor) -> Tensor:
    """Return a view of a variable, or its gradient, in the shape the harness knows.

    Kernels are [lanes, fan_in, units], all others [lanes, units].
    """
    return tensor.mT if name.endswith("/kernel") else tensor.squeeze(1)
