"""A network in every lane: its layers over stacked variables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from manyseeds.techniques.activations import Linear
from manyseeds.techniques.layers import Skip
from manyseeds.techniques.network import INPUT, Network
from manyseeds_pytorch.device import OpenDevice
from manyseeds_pytorch.layers import ForwardPass, LaneLayer, Variables, lane_layer


@dataclass(frozen=True)
class LaneNetwork:
    """A network in every lane.

    Attributes
    ----------
    definition
        The network, with the hyperparameters of the present phase.
    lanes
        Number of lanes.
    widest
        The most units of any layer's outputs.
    layers
        The layers by label, from the input upwards; the last returns logits.
    variables_by_layer
        Each layer's variables by their own names. Kernels are [lanes, units, fan_in], all others
        [lanes, 1, units]: see `canonical`.
    skip_sources
        Labels of the layers whose outputs skip connections add.
    """

    definition: Network
    lanes: int
    widest: int
    layers: Mapping[str, LaneLayer]
    variables_by_layer: Mapping[str, Variables]
    skip_sources: frozenset[str]

    @classmethod
    def zeros(cls, network: Network, features: int, lanes: int, device: OpenDevice) -> LaneNetwork:
        """Return a network whose variables are 0.

        Parameters
        ----------
        network
            The network's definition.
        features
            Width of the inputs.
        lanes
            Number of lanes.
        device
            The device of the variables.
        """
        variables: dict[str, dict[str, Tensor]] = {layer.label: {} for layer in network.layers}
        for name, variable in network.variables(features).items():
            label, own_name = name.split("/")
            shape = variable.shape[::-1] if own_name == "kernel" else (1, *variable.shape)
            variables[label][own_name] = torch.zeros(
                (lanes, *shape), device=device.torch_device, dtype=device.dtype
            )
        return cls(
            definition=network,
            lanes=lanes,
            widest=max(network.widths(features).values()),
            layers=_lane_layers(network, ()),
            variables_by_layer=variables,
            skip_sources=frozenset(layer.of for layer in network.layers if isinstance(layer, Skip)),
        )

    def configured(self, network: Network, frozen: Collection[str]) -> LaneNetwork:
        """Return this network with the hyperparameters of another one of the same structure.

        Parameters
        ----------
        network
            The network with the hyperparameters.
        frozen
            Labels of the frozen layers.
        """
        return replace(self, definition=network, layers=_lane_layers(network, frozen))

    def select(self, lanes: slice) -> LaneNetwork:
        """Return the network of some of the lanes, over the same memory."""
        variables = {
            label: {name: value[lanes] for name, value in own.items()}
            for label, own in self.variables_by_layer.items()
        }
        return replace(self, lanes=lanes.stop - lanes.start, variables_by_layer=variables)

    def blocks(self, rows: int, most_rows: int, elements: int) -> Iterator[tuple[slice, slice]]:
        """Yield blocks of lanes and rows whose activations have at most `elements` elements.

        Parameters
        ----------
        rows
            Number of rows in all.
        most_rows
            Most rows of a block; a block has them even if one lane of them exceeds `elements`.
        elements
            Most elements of one activation.
        """
        height = min(rows, most_rows)
        width = max(1, elements // (self.widest * height))
        for lane in range(0, self.lanes, width):
            for row in range(0, rows, height):
                yield (
                    slice(lane, min(lane + width, self.lanes)),
                    slice(row, min(row + height, rows)),
                )

    def outputs(self, inputs: Tensor, forward_pass: ForwardPass) -> Iterator[tuple[str, Tensor]]:
        """Yield each layer's label and outputs [lanes, batch, units]; the last are the logits.

        Parameters
        ----------
        inputs
            [lanes, batch, features].
        forward_pass
            The mode of the pass.
        """
        sources = {INPUT: inputs}
        if self.skip_sources:
            forward_pass = replace(forward_pass, outputs=sources)
        values = inputs
        for label, layer in self.layers.items():
            values = layer(values, self.variables_by_layer[label], forward_pass)
            if label in self.skip_sources:
                sources[label] = values
            yield label, values

    def logits(self, inputs: Tensor, forward_pass: ForwardPass) -> Tensor:
        """Return the logits [lanes, batch, units] of inputs [lanes, batch, features]."""
        for _, values in self.outputs(inputs, forward_pass):
            logits = values
        return logits

    def variables(self) -> dict[str, Tensor]:
        """Return the variables by "layer/variable", in the order of the layers."""
        return {
            f"{label}/{name}": value
            for label, own in self.variables_by_layer.items()
            for name, value in own.items()
        }


def _lane_layers(network: Network, frozen: Collection[str]) -> dict[str, LaneLayer]:
    """Return the layers by label; the output has no activation, as losses start from logits."""
    *hidden, output = network.layers
    logits = output.model_copy(update={"activation": Linear()})
    return {layer.label: lane_layer(layer, frozen) for layer in (*hidden, logits)}


def canonical(name: str, tensor: Tensor) -> Tensor:
    """Return a view of a variable, or of its gradient, in the shape of the contract.

    Kernels are [lanes, fan_in, units], all others [lanes, units].
    """
    return tensor.mT if name.endswith("/kernel") else tensor.squeeze(1)
