"""Consecutive layers of a network, as Keras layers over stacked lanes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import keras
import tensorflow as tf

from manyseeds.techniques import layers
from manyseeds_tensorflow.layers import ForwardPass, Hyperparameters, LaneDense, lane_layers

Tensors = dict[str, tf.Tensor]
Specifications = dict[str, tf.TensorSpec]

LINEAR = "linear"
"""A dense layer's outputs before their activation, as a `Recall` names them: "layer/linear"."""


@dataclass(frozen=True)
class LayerArguments:
    """Everything layers compute with, beside their inputs.

    Attributes
    ----------
    weights
        The weights by "layer/variable": kernels [lanes, in, out], others [lanes, 1, units]; those
        of repeated layers [lanes, repetitions, ...].
    hyperparameters
        The hyperparameters of the layers, by label; those of repeated layers [repetitions].
    forward
        The forward pass of layers in training mode.
    active
        The labels of the layers in training mode; the others predict.
    """

    weights: Mapping[str, tf.Tensor]
    hyperparameters: Mapping[str, Hyperparameters]
    forward: ForwardPass | None = None
    active: Collection[str] = ()

    def for_layers(self, labels: Collection[str]) -> LayerArguments:
        """Return the arguments of some repeated layers."""
        weights = {n: value for n, value in self.weights.items() if n.split("/")[0] in labels}
        forward = self.forward
        if forward:
            keys = {name: key for name, key in forward.keys.items() if name.split("/")[0] in labels}
            forward = replace(forward, keys=keys)
        return LayerArguments(
            weights, {label: self.hyperparameters[label] for label in labels}, forward, self.active
        )

    def at(self, index: tf.Tensor) -> LayerArguments:
        """Return the arguments of one repetition; all layers must be repeated."""
        weights = {name: _repetition(value, index) for name, value in self.weights.items()}
        hyperparameters = tf.nest.map_structure(
            lambda hyperparameter: tf.gather(hyperparameter, index), self.hyperparameters
        )
        forward = self.forward
        if forward:
            keys = {name: _repetition(key, index) for name, key in forward.keys.items()}
            forward = replace(forward, keys=keys)
        return LayerArguments(weights, hyperparameters, forward, self.active)


class BlockOutputs(NamedTuple):
    """The result of passing inputs through a block.

    Attributes
    ----------
    values
        The outputs of its last layer, [lanes, batch, units].
    outputs
        The outputs of each of its layers, by label.
    averages
        The moving averages that have moved, by "layer/variable".
    """

    values: tf.Tensor
    outputs: Tensors
    averages: Tensors


class LaneBlock:
    """Consecutive layers.

    Parameters
    ----------
    definitions
        The layers' structure; its numeric hyperparameters are passed with the call instead.
    width
        Number of units that enter the first layer.
    lanes
        Number of lanes.
    dtype
        The precision of weights and activations.
    linear
        Whether to leave out the activation of the last layer.
    """

    def __init__(
        self,
        definitions: Sequence[layers.Layer],
        width: int,
        lanes: int,
        dtype: str,
        *,
        linear: bool = False,
    ) -> None:
        self.layers, self.lanes = tuple(definitions), lanes
        self.labels = frozenset(layer.label for layer in definitions)
        self._width, self._dtype = width, dtype
        self._keras = {layer.label: lane_layers(layer, dtype) for layer in definitions}
        if linear:
            self._keras[definitions[-1].label] = self._keras[definitions[-1].label][:1]
        self._variables: dict[str, keras.Variable] = {}
        for layer in definitions:
            for own in self._keras[layer.label]:
                own.build((lanes, None, width))
                width = layer.width(width)  # the activation of a dense layer has its units
                for variable in own.weights:
                    self._variables[f"{layer.label}/{variable.name}"] = variable
        self.width = width

    def __call__(
        self, arguments: LayerArguments, values: tf.Tensor, below: Mapping[str, tf.Tensor]
    ) -> BlockOutputs:
        """Pass values [lanes, batch, width] through the layers.

        `below` has the outputs of layers before the block, by label. The arguments may have
        weights of other layers, too.
        """
        outputs: Tensors = {}
        own = [(variable, arguments.weights[name]) for name, variable in self._variables.items()]
        with keras.StatelessScope(own) as scope:
            before = self._averages(scope)
            for layer in self.layers:
                if isinstance(layer, layers.Skip):
                    values = values + (
                        outputs[layer.of] if layer.of in outputs else below[layer.of]
                    )
                values = outputs[layer.label] = self._through(layer, arguments, values)
            after = self._averages(scope)
        moved = {name: value for name, value in after.items() if value is not before[name]}
        return BlockOutputs(values, outputs, moved)

    def recalled(self, batch: int) -> Specifications:
        """Return the specifications of the values that a `Recall` stores for a batch, by name."""
        specifications: Specifications = {}
        width = self._width
        for layer in self.layers:
            noises = layer.noises(batch, width)
            width = layer.width(width)
            if isinstance(layer, layers.Dense):
                shape = [self.lanes, batch, width]
                specifications[f"{layer.label}/{LINEAR}"] = tf.TensorSpec(shape, self._dtype)
            if not isinstance(layer, layers.GaussianNoise):
                for name, elements in noises.items():
                    shape = [self.lanes, elements // width, width]
                    specifications[name] = tf.TensorSpec(shape, tf.uint16)
        return specifications

    def averages(self, active: Collection[str]) -> Specifications:
        """Return the specifications of the moving averages of the `active` layers, by name."""
        return {
            name: tf.TensorSpec(variable.shape, variable.dtype)
            for name, variable in self._variables.items()
            if not variable.trainable and name.split("/")[0] in active
        }

    def _through(
        self, layer: layers.Layer, arguments: LayerArguments, values: tf.Tensor
    ) -> tf.Tensor:
        """Return the outputs of a layer, without the sum of a skip connection."""
        forward = arguments.forward if layer.label in arguments.active else None
        hyperparameters = arguments.hyperparameters[layer.label]
        for own in self._keras[layer.label]:
            values = own(values, hyperparameters=hyperparameters, forward=forward)
            if forward and forward.recall and isinstance(own, LaneDense):
                values = forward.recall.product(f"{layer.label}/{LINEAR}", values)
        return values

    def _averages(self, scope: keras.StatelessScope) -> Tensors:
        """Return the values of the variables that are not trained, by name."""
        return {
            name: scope.get_current_value(own)
            for name, own in self._variables.items()
            if not own.trainable
        }


def _repetition(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Return one repetition, [lanes, ...], of values [lanes, repetitions, ...]."""
    return tf.gather(values, index, axis=1)
