"""A block of layers that is repeated, as a loop: the program is as long as one block."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import tensorflow as tf

from manyseeds_tensorflow.layers_recall import Recall
from manyseeds_tensorflow.network_blocks import (
    BlockOutputs,
    LaneBlock,
    LayerArguments,
    Specifications,
    Tensors,
)

Arrays = dict[str, tf.TensorArray]

INPUTS = "inputs"
"""A block's inputs, among the values stored for the backward pass."""


class Summary(NamedTuple):
    """Numbers that summarise the outputs of a layer.

    Attributes
    ----------
    of
        Takes outputs [lanes, batch, units], returns [lanes, size] in float64.
    size
        The number of these numbers.
    """

    of: Callable[[tf.Tensor], tf.Tensor]
    size: int


@dataclass(frozen=True)
class RepeatedBlock:
    """A block that is repeated.

    Its weights and noise keys, its summaries and its averages are [lanes, repetitions, ...].

    Attributes
    ----------
    block
        The first repetition, whose labels represent all.
    times
        Number of repetitions.
    below
        The label of the layer right below the first.
    """

    block: LaneBlock
    times: int
    below: str

    @property
    def labels(self) -> frozenset[str]:
        """The labels of the block's layers."""
        return self.block.labels

    def __call__(
        self,
        arguments: LayerArguments,
        values: tf.Tensor,
        trained: Collection[str],
        summary: Summary | None = None,
    ) -> BlockOutputs:
        """Pass values [lanes, batch, units] through all repetitions.

        Parameters
        ----------
        arguments
            The arguments of these layers, and possibly of others.
        trained
            The weights that need a gradient. Without any, nothing has a gradient and no averages
            move.
        summary
            How to summarise the outputs of each layer; then nothing has a gradient.

        Returns
        -------
        The outputs of the block; those of its layers are their summaries.
        """
        own = arguments.for_layers(self.labels)
        if summary or not trained:
            return self._summarised(own, values, summary)
        return self._differentiable(own, values, [name for name in own.weights if name in trained])

    def _summarised(
        self, arguments: LayerArguments, values: tf.Tensor, summary: Summary | None
    ) -> BlockOutputs:
        specifications = {}
        if summary:
            specification = tf.TensorSpec([self.block.lanes, summary.size], tf.float64)
            specifications = dict.fromkeys(sorted(self.labels), specification)

        def once(index: tf.Tensor, values: tf.Tensor, arrays: Arrays) -> tuple[Any, ...]:
            result = self._pass(arguments.at(index), values)
            summaries = (
                {label: summary.of(result.outputs[label]) for label in arrays} if summary else {}
            )
            return index + 1, result.values, _written(arrays, index, summaries)

        start = (tf.constant(0), values, self._arrays(specifications))
        _, values, arrays = self._loop(once, start)
        return BlockOutputs(values, _stacked(arrays), {})

    def _differentiable(
        self, arguments: LayerArguments, values: tf.Tensor, trained: list[str]
    ) -> BlockOutputs:
        """Pass values through all repetitions, with a gradient written by hand.

        TensorFlow's own gradient of the loop would add up gradients of the whole stack in each
        repetition.
        """
        moving = list(self.block.averages(arguments.active))

        def along(values: tf.Tensor, *weights: tf.Tensor) -> tuple[Any, ...]:
            watched = dict(zip(trained, weights, strict=True))
            own = replace(arguments, weights={**arguments.weights, **watched})
            end, averages, stored = self._forwards(own, values)

            def gradients(slope: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
                of_values, of_weights = self._backwards(own, trained, stored, slope)
                return (of_values, *(of_weights[name] for name in trained))

            return (end, *(averages[name] for name in moving)), gradients

        watched = (arguments.weights[name] for name in trained)
        end, *averages = tf.custom_gradient(along)(values, *watched)
        return BlockOutputs(end, {}, dict(zip(moving, averages, strict=True)))

    def _forwards(
        self, arguments: LayerArguments, values: tf.Tensor
    ) -> tuple[tf.Tensor, Tensors, Tensors]:
        """Return the last block's outputs, the averages, and the stored values by repetition."""
        batch = values.shape[1]
        specifications = {
            INPUTS: tf.TensorSpec(values.shape, values.dtype),
            **self.block.recalled(batch),
        }

        def once(index: tf.Tensor, values: tf.Tensor, stored: Arrays, averages: Arrays) -> Any:
            recall = Recall()
            result = self._pass(_recalling(arguments.at(index), recall), values)
            recalled = {INPUTS: values, **recall.stored}
            moved = _written(averages, index, result.averages)
            return index + 1, result.values, _written(stored, index, recalled), moved

        averages = self._arrays(self.block.averages(arguments.active))
        start = (tf.constant(0), values, self._arrays(specifications), averages)
        _, end, stored, averages = self._loop(once, start)
        return end, _stacked(averages), {name: array.stack() for name, array in stored.items()}

    def _backwards(
        self, arguments: LayerArguments, names: list[str], stored: Tensors, slope: tf.Tensor
    ) -> tuple[tf.Tensor, Tensors]:
        """Return the gradient of the first block's inputs, and of the weights by name."""
        shapes = {name: arguments.weights[name].shape for name in names}
        specifications = {
            name: tf.TensorSpec([shape[0], *shape[2:]], slope.dtype)
            for name, shape in shapes.items()
        }

        def once(count: tf.Tensor, slope: tf.Tensor, arrays: Arrays) -> tuple[Any, ...]:
            index = self.times - 1 - count
            recalled = {name: tf.gather(values, index) for name, values in stored.items()}
            inputs = recalled.pop(INPUTS)
            own = arguments.at(index)
            watched = {name: own.weights[name] for name in names}
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch((inputs, watched))
                values = self._pass(_recalling(own, Recall(recalled)), inputs).values
            of_inputs, of_weights = tape.gradient(
                values,
                (inputs, watched),
                output_gradients=slope,
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            return count + 1, of_inputs, _written(arrays, index, of_weights)

        start = (tf.constant(0), slope, self._arrays(specifications))
        _, slope, arrays = self._loop(once, start)
        return slope, _stacked(arrays)

    def _pass(self, arguments: LayerArguments, values: tf.Tensor) -> BlockOutputs:
        return self.block(arguments, values, {self.below: values})

    def _arrays(self, specifications: Specifications) -> Arrays:
        return {
            name: tf.TensorArray(own.dtype, size=self.times, element_shape=own.shape)
            for name, own in specifications.items()
        }

    def _loop(self, once: Callable[..., Any], start: tuple[Any, ...]) -> tuple[Any, ...]:
        return tf.while_loop(
            lambda index, *_: index < self.times, once, start, maximum_iterations=self.times
        )


def _recalling(arguments: LayerArguments, recall: Recall) -> LayerArguments:
    """Return arguments whose forward pass stores its values, or takes stored ones."""
    if arguments.forward is None:
        return arguments
    return replace(arguments, forward=replace(arguments.forward, recall=recall))


def _written(arrays: Arrays, index: tf.Tensor, values: Tensors) -> Arrays:
    return {name: array.write(index, values[name]) for name, array in arrays.items()}


def _stacked(arrays: Arrays) -> Tensors:
    """Return the values of all repetitions, [lanes, repetitions, ...] by name."""
    stacked = {}
    for name, array in arrays.items():
        values = array.stack()
        stacked[name] = tf.transpose(values, [1, 0, *range(2, values.shape.rank)])
    return stacked
