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
from manyseeds_tensorflow.blocks import Given, LaneBlock, Tensors
from manyseeds_tensorflow.loops import Note, RepeatedBlock
from manyseeds_tensorflow.losses import probabilities
from manyseeds_tensorflow.stacks import standing


class Forward(NamedTuple):
    """What comes of a network's inputs.

    Attributes
    ----------
    logits
        [lanes, batch, outputs]
    averages
        The moving averages that have moved, by "layer/variable".
    notes
        What is noted of what leaves each layer, by label, where something is.
    """

    logits: tf.Tensor
    averages: Tensors
    notes: Tensors


class LaneNetwork:
    """The networks of all lanes.

    Parameters
    ----------
    network
        Its structure; what is numeric in it comes with the call instead.
    features
        Of the inputs.
    lanes
        How many networks.
    dtype
        Of weights and activations.
    frozen
        Labels of frozen layers: only layers that are equally frozen are repetitions.

    Attributes
    ----------
    network
        The layers that stand for all: of those that are repeated the first alone.
    """

    def __init__(
        self,
        network: Network,
        features: int,
        lanes: int,
        dtype: str,
        frozen: Collection[str] = (),
    ) -> None:
        found = layer_runs(network, features, frozen)
        self.network, self.lanes = standing(network, found), lanes
        self._blocks: list[tuple[LaneBlock | RepeatedBlock, str]] = []
        width = features
        for run in found:
            block = LaneBlock(run.block, width, lanes, dtype)
            width = block.width
            taken = RepeatedBlock(block, len(run.blocks), run.below) if run.repeated else block
            self._blocks.append((taken, run.blocks[-1][-1].label))
        # The output's activation is part of its loss.
        self._output = LaneBlock((network.output,), width, lanes, dtype, linear=True)

    def repetitions(self, label: str) -> tuple[int, ...]:
        """Return how many repetitions a layer stands for; nothing where it stands for itself."""
        for block, _ in self._blocks:
            if isinstance(block, RepeatedBlock) and label in block.labels:
                return (block.times,)
        return ()

    def __call__(
        self,
        given: Given,
        inputs: tf.Tensor,
        *,
        trained: Collection[str] = (),
        note: Note | None = None,
    ) -> Forward:
        """Pass inputs [lanes, batch, features] through the network.

        Parameters
        ----------
        given
            What the layers work with.
        trained
            The weights whose gradient is wanted, by "layer/variable".
        note
            What is to be noted of what leaves each layer; then nothing has a gradient.
        """
        values, outputs = inputs, {INPUT: inputs}
        averages: Tensors = {}
        notes: Tensors = {}
        moving = False  # whether something up to here is trained: else nothing needs a way back
        for block, last in self._blocks:
            moving = moving or any(name.split("/")[0] in block.labels for name in trained)
            if isinstance(block, RepeatedBlock):
                passed = block(given, values, trained if moving else (), note)
                notes |= passed.outputs
            else:
                passed = block(given, values, outputs)
                outputs |= passed.outputs
                notes |= {n: note.of(each) for n, each in passed.outputs.items()} if note else {}
            values = outputs[last] = passed.values
            averages |= passed.averages
        logits = self._output(given, values, outputs).values
        if note:
            label = self.network.output.label
            notes[label] = note.of(probabilities(self.network.loss, logits))
        return Forward(logits, averages, notes)


def training_layers(network: Network, frozen: Collection[str]) -> frozenset[str]:
    """Return the layers in training mode in a training step: all but frozen normalisations."""
    return frozenset(
        layer.label
        for layer in network.layers
        if not (isinstance(layer, BatchNorm) and layer.label in frozen)
    )


def dropping_layers(network: Network) -> frozenset[str]:
    """Return the layers that are in training mode in Monte Carlo dropout."""
    return frozenset(
        layer.label for layer in network.layers if isinstance(layer, Dropout | AlphaDropout)
    )
