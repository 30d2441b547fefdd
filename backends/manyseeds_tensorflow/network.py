"""A network over stacked lanes: its layers as blocks, those that are repeated as loops.

Every numeric hyperparameter is a run-time argument: networks of one `structure` share a compiled
program.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import tensorflow as tf

from manyseeds.backend.repeated_layers import layer_runs
from manyseeds.techniques.layers import AlphaDropout, BatchNorm, Dropout
from manyseeds.techniques.network import INPUT, Network
from manyseeds_tensorflow.losses import probabilities
from manyseeds_tensorflow.network_blocks import LaneBlock, LayerArguments, Tensors
from manyseeds_tensorflow.network_loops import RepeatedBlock, Summary
from manyseeds_tensorflow.network_stacks import representatives


class NetworkOutputs(NamedTuple):
    """The result of passing inputs through a network.

    Attributes
    ----------
    logits
        [lanes, batch, outputs]
    averages
        The moving averages that have moved, by "layer/variable".
    summaries
        The summary of each layer's outputs, by label; empty without a `Summary`.
    """

    logits: tf.Tensor
    averages: Tensors
    summaries: Tensors


class LaneNetwork:
    """The networks of all lanes.

    Parameters
    ----------
    network
        The networks' structure; its numeric hyperparameters are passed with the call instead.
    features
        Width of the inputs.
    lanes
        Number of lanes.
    dtype
        The precision of weights and activations.
    frozen
        Labels of the frozen layers; a frozen layer is no repetition of one that is trained.

    Attributes
    ----------
    network
        The network of the layers that represent all: of repeated layers only the first.
    """

    def __init__(
        self,
        network: Network,
        features: int,
        lanes: int,
        dtype: str,
        frozen: Collection[str] = (),
    ) -> None:
        runs = layer_runs(network, features, frozen)
        self.network, self.lanes = representatives(network, runs), lanes
        self._blocks: list[tuple[LaneBlock | RepeatedBlock, str]] = []
        width = features
        for run in runs:
            block = LaneBlock(run.block, width, lanes, dtype)
            width = block.width
            whole = RepeatedBlock(block, len(run.blocks), run.below) if run.repeated else block
            self._blocks.append((whole, run.blocks[-1][-1].label))
        # The output's activation is part of its loss.
        self._output = LaneBlock((network.output,), width, lanes, dtype, linear=True)

    def repetitions(self, label: str) -> tuple[int, ...]:
        """Return how many repetitions a layer represents; () for a layer that is not repeated."""
        for block, _ in self._blocks:
            if isinstance(block, RepeatedBlock) and label in block.labels:
                return (block.times,)
        return ()

    def __call__(
        self,
        arguments: LayerArguments,
        inputs: tf.Tensor,
        *,
        trained: Collection[str] = (),
        summary: Summary | None = None,
    ) -> NetworkOutputs:
        """Pass inputs [lanes, batch, features] through the network.

        Parameters
        ----------
        arguments
            Everything the layers compute with.
        trained
            The weights that need a gradient, by "layer/variable".
        summary
            How to summarise the outputs of each layer; then nothing has a gradient.
        """
        values, outputs = inputs, {INPUT: inputs}
        averages: Tensors = {}
        summaries: Tensors = {}
        moving = False  # whether anything up to here is trained; else no backward pass is needed
        for block, last in self._blocks:
            moving = moving or any(name.split("/")[0] in block.labels for name in trained)
            if isinstance(block, RepeatedBlock):
                result = block(arguments, values, trained if moving else (), summary)
                summaries |= result.outputs
            else:
                result = block(arguments, values, outputs)
                outputs |= result.outputs
                if summary:
                    summaries |= {name: summary.of(own) for name, own in result.outputs.items()}
            values = outputs[last] = result.values
            averages |= result.averages
        logits = self._output(arguments, values, outputs).values
        if summary:
            label = self.network.output.label
            summaries[label] = summary.of(probabilities(self.network.loss, logits))
        return NetworkOutputs(logits, averages, summaries)


def training_layers(network: Network, frozen: Collection[str]) -> frozenset[str]:
    """Return the layers in training mode in a training step: all but frozen normalisations."""
    return frozenset(
        layer.label
        for layer in network.layers
        if not (isinstance(layer, BatchNorm) and layer.label in frozen)
    )


def dropping_layers(network: Network) -> frozenset[str]:
    """Return the layers in training mode in Monte Carlo dropout."""
    return frozenset(
        layer.label for layer in network.layers if isinstance(layer, Dropout | AlphaDropout)
    )
