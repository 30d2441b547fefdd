"""A network as Keras layers over stacked lanes.

Every numeric hyperparameter is a run-time argument ("knobs"): networks of one `structure` share
a compiled program.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import keras
import tensorflow as tf

from manyseeds.layers import AlphaDropout, BatchNorm, Dropout, Skip
from manyseeds.network import INPUT, Network
from manyseeds_tensorflow.layers import Knobs, Step, lane_layers
from manyseeds_tensorflow.losses import probabilities


class Forward(NamedTuple):
    """What comes of a network's inputs.

    Attributes
    ----------
    logits
        [lanes, batch, outputs]
    outputs
        Of every layer by its label, [lanes, batch, units].
    averages
        The moving averages that have moved, by "layer/variable".
    """

    logits: tf.Tensor
    outputs: dict[str, tf.Tensor]
    averages: dict[str, tf.Tensor]


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
    """

    def __init__(self, network: Network, features: int, lanes: int, dtype: str) -> None:
        self.network, self.lanes = network, lanes
        self._parts = {layer.label: lane_layers(layer, dtype) for layer in network.layers}
        # The output's activation is part of its loss.
        self._parts[network.output.label] = self._parts[network.output.label][:1]
        self._variables: dict[str, keras.Variable] = {}
        width = features
        for layer in network.layers:
            for part in self._parts[layer.label]:
                part.build((lanes, None, width))
                width = layer.width(width)  # of a dense layer's activation: its units already
                for variable in part.weights:
                    self._variables[f"{layer.label}/{variable.name}"] = variable

    def __call__(
        self,
        weights: Mapping[str, tf.Tensor],
        inputs: tf.Tensor,
        knobs: Mapping[str, Knobs],
        step: Step | None = None,
        active: Collection[str] = (),
    ) -> Forward:
        """Pass inputs through the network.

        Parameters
        ----------
        weights
            By "layer/variable": kernels [lanes, in, out], others [lanes, 1, units].
        inputs
            [lanes, batch, features]
        knobs
            Of the layers, by label.
        step
            Where layers are in training, the step they are in.
        active
            Which layers these are, by label; the others are as in prediction.
        """
        given = [(variable, weights[name]) for name, variable in self._variables.items()]
        with keras.StatelessScope(given) as scope:
            before = self._values(scope)
            logits, outputs = self._call(inputs, knobs, step, active)
            after = self._values(scope)
        moved = {name: value for name, value in after.items() if value is not before[name]}
        return Forward(logits, outputs, moved)

    def _values(self, scope: keras.StatelessScope) -> dict[str, tf.Tensor]:
        """Return the variables' values by name."""
        return {name: scope.get_current_value(own) for name, own in self._variables.items()}

    def _call(
        self,
        inputs: tf.Tensor,
        knobs: Mapping[str, Knobs],
        step: Step | None,
        active: Collection[str],
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return the logits and every layer's outputs."""
        outputs = {INPUT: inputs}
        values = inputs
        for layer in self.network.layers:
            if isinstance(layer, Skip):
                values = values + outputs[layer.of]
            for part in self._parts[layer.label]:
                own = step if layer.label in active else None
                values = part(values, knobs=knobs[layer.label], step=own)
            outputs[layer.label] = values
        del outputs[INPUT]
        outputs[self.network.output.label] = probabilities(self.network.loss, values)
        return values, outputs


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
