"""Some of a network's layers in a row, as Keras layers over stacked lanes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import keras
import tensorflow as tf

from manyseeds.techniques import layers
from manyseeds_tensorflow.layers import Hyperparameters, LaneDense, Step, lane_layers

Tensors = dict[str, tf.Tensor]
Likes = dict[str, tf.TensorSpec]


@dataclass(frozen=True)
class Given:
    """What layers work with, beside what enters them.

    Attributes
    ----------
    weights
        By "layer/variable": kernels [lanes, in, out], others [lanes, 1, units]; of repeated layers
        [lanes, repetitions, ...].
    hyperparameters
        Of the layers, by label; of repeated layers [repetitions].
    step
        Where layers are in training, the step they are in.
    active
        Which layers these are, by label; the others are as in prediction.
    """

    weights: Mapping[str, tf.Tensor]
    hyperparameters: Mapping[str, Hyperparameters]
    step: Step | None = None
    active: Collection[str] = ()

    def of(self, labels: Collection[str]) -> Given:
        """Return what is given to some repeated layers."""
        weights = {n: value for n, value in self.weights.items() if n.split("/")[0] in labels}
        step = self.step
        if step:
            keys = {name: key for name, key in step.keys.items() if name.split("/")[0] in labels}
            step = replace(step, keys=keys)
        return Given(
            weights, {label: self.hyperparameters[label] for label in labels}, step, self.active
        )

    def at(self, index: tf.Tensor) -> Given:
        """Return what is given to one repetition of layers that are all repeated."""
        weights = {name: _of(value, index) for name, value in self.weights.items()}
        hyperparameters = tf.nest.map_structure(
            lambda hyperparameter: tf.gather(hyperparameter, index), self.hyperparameters
        )
        step = self.step
        if step:
            step = replace(step, keys={name: _of(key, index) for name, key in step.keys.items()})
        return Given(weights, hyperparameters, step, self.active)


class Passed(NamedTuple):
    """What comes of a block's inputs.

    Attributes
    ----------
    values
        What leaves its last layer, [lanes, batch, units].
    outputs
        What leaves each of its layers, by label.
    averages
        The moving averages that have moved, by "layer/variable".
    """

    values: tf.Tensor
    outputs: Tensors
    averages: Tensors


class LaneBlock:
    """Layers in a row.

    Parameters
    ----------
    stack
        Their structure; what is numeric in it comes with the call instead.
    width
        Units that enter the first.
    lanes
        How many networks.
    dtype
        Of weights and activations.
    linear
        Whether the last is without its activation.
    """

    def __init__(
        self,
        stack: Sequence[layers.Layer],
        width: int,
        lanes: int,
        dtype: str,
        *,
        linear: bool = False,
    ) -> None:
        self.layers, self.lanes = tuple(stack), lanes
        self.labels = frozenset(layer.label for layer in stack)
        self._width, self._dtype = width, dtype
        self._parts = {layer.label: lane_layers(layer, dtype) for layer in stack}
        if linear:
            self._parts[stack[-1].label] = self._parts[stack[-1].label][:1]
        self._variables: dict[str, keras.Variable] = {}
        for layer in stack:
            for part in self._parts[layer.label]:
                part.build((lanes, None, width))
                width = layer.width(width)  # of a dense layer's activation: its units already
                for variable in part.weights:
                    self._variables[f"{layer.label}/{variable.name}"] = variable
        self.width = width

    def __call__(self, given: Given, values: tf.Tensor, below: Mapping[str, tf.Tensor]) -> Passed:
        """Pass values [lanes, batch, width] through; `below` is what left other layers, by label.

        All weights that are given are the layers' own, or those of others.
        """
        outputs: Tensors = {}
        own = [(variable, given.weights[name]) for name, variable in self._variables.items()]
        with keras.StatelessScope(own) as scope:
            before = self._averages(scope)
            for layer in self.layers:
                if isinstance(layer, layers.Skip):
                    values = values + (
                        outputs[layer.of] if layer.of in outputs else below[layer.of]
                    )
                values = outputs[layer.label] = self._through(layer, given, values)
            after = self._averages(scope)
        moved = {name: value for name, value in after.items() if value is not before[name]}
        return Passed(values, outputs, moved)

    def kept(self, batch: int) -> Likes:
        """Return what a step's recall keeps of a batch, by name."""
        found: Likes = {}
        width = self._width
        for layer in self.layers:
            noises = layer.noises(batch, width)
            width = layer.width(width)
            if isinstance(layer, layers.Dense):
                shape = [self.lanes, batch, width]
                found[f"{layer.label}/{LINEAR}"] = tf.TensorSpec(shape, self._dtype)
            if not isinstance(layer, layers.GaussianNoise):
                for name, elements in noises.items():
                    found[name] = tf.TensorSpec([self.lanes, elements // width, width], tf.uint16)
        return found

    def averages(self, active: Collection[str]) -> Likes:
        """Return the moving averages that move where these layers are in training, by name."""
        return {
            name: tf.TensorSpec(variable.shape, variable.dtype)
            for name, variable in self._variables.items()
            if not variable.trainable and name.split("/")[0] in active
        }

    def _through(self, layer: layers.Layer, given: Given, values: tf.Tensor) -> tf.Tensor:
        """Return what a layer makes of values, but for what a skip connection adds."""
        step = given.step if layer.label in given.active else None
        for part in self._parts[layer.label]:
            values = part(values, hyperparameters=given.hyperparameters[layer.label], step=step)
            if step and step.recall and isinstance(part, LaneDense):
                values = step.recall.product(f"{layer.label}/{LINEAR}", values)
        return values

    def _averages(self, scope: keras.StatelessScope) -> Tensors:
        """Return the values of what is not trained, by name."""
        return {
            name: scope.get_current_value(own)
            for name, own in self._variables.items()
            if not own.trainable
        }


def _of(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Return those of one repetition, [lanes, ...], of values [lanes, repetitions, ...]."""
    return tf.gather(values, index, axis=1)


LINEAR = "linear"
"""What a recall calls a dense layer's outputs before their activation: "layer/linear"."""
