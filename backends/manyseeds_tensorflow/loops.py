"""A block of layers that is repeated, as a loop: the program is as long as one block."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import tensorflow as tf

from manyseeds_tensorflow.blocks import Given, LaneBlock, Likes, Passed, Tensors
from manyseeds_tensorflow.recall import Recall

Arrays = dict[str, tf.TensorArray]

INPUTS = "inputs"
"""What a recall calls what enters a block."""


class Note(NamedTuple):
    """What is noted of what leaves a layer.

    Attributes
    ----------
    of
        Takes outputs [lanes, batch, units], returns [lanes, numbers] in float64.
    numbers
        How many.
    """

    of: Callable[[tf.Tensor], tf.Tensor]
    numbers: int


@dataclass(frozen=True)
class RepeatedBlock:
    """A block that comes many times.

    Its weights and keys, and what is noted and moves, are [lanes, repetitions, ...].

    Attributes
    ----------
    block
        The first repetition, whose labels stand for all.
    times
        How many there are.
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
        self, given: Given, values: tf.Tensor, trained: Collection[str], note: Note | None = None
    ) -> Passed:
        """Pass values [lanes, batch, units] through.

        Parameters
        ----------
        given
            What these layers and others work with.
        trained
            The weights whose gradient is wanted. Without any, nothing has a gradient and no
            averages move.
        note
            What is to be noted of what leaves each layer, instead of a gradient.

        Returns
        -------
        What came of it; of the layers' outputs there is what is noted of them.
        """
        own = given.of(self.labels)
        if note or not trained:
            return self._noted(own, values, note)
        return self._differentiable(own, values, [name for name in own.weights if name in trained])

    def _noted(self, given: Given, values: tf.Tensor, note: Note | None) -> Passed:
        likes = {}
        if note:
            like = tf.TensorSpec([self.block.lanes, note.numbers], tf.float64)
            likes = dict.fromkeys(self.labels, like)

        def once(index: tf.Tensor, values: tf.Tensor, arrays: Arrays) -> tuple[Any, ...]:
            passed = self._pass(given.at(index), values)
            notes = {label: note.of(passed.outputs[label]) for label in arrays} if note else {}
            return index + 1, passed.values, _written(arrays, index, notes)

        start = (tf.constant(0), values, self._arrays(likes))
        _, values, arrays = self._loop(once, start)
        return Passed(values, _stacked(arrays), {})

    def _differentiable(self, given: Given, values: tf.Tensor, trained: list[str]) -> Passed:
        """Pass values through in training.

        A gradient of the loop that TensorFlow found would add up gradients of the whole stack in
        each repetition.
        """
        moving = list(self.block.averages(given.active))

        def along(values: tf.Tensor, *weights: tf.Tensor) -> tuple[Any, ...]:
            watched = dict(zip(trained, weights, strict=True))
            own = replace(given, weights={**given.weights, **watched})
            end, averages, kept = self._forwards(own, values)

            def slopes(slope: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
                first, found = self._backwards(own, trained, kept, slope)
                return (first, *(found[name] for name in trained))

            return (end, *(averages[name] for name in moving)), slopes

        watched = (given.weights[name] for name in trained)
        end, *averages = tf.custom_gradient(along)(values, *watched)
        return Passed(end, {}, dict(zip(moving, averages, strict=True)))

    def _forwards(self, given: Given, values: tf.Tensor) -> tuple[tf.Tensor, Tensors, Tensors]:
        """Return what leaves the last block, the averages, and what was kept, by repetition."""
        batch = values.shape[1]
        likes = {INPUTS: tf.TensorSpec(values.shape, values.dtype), **self.block.kept(batch)}

        def once(index: tf.Tensor, values: tf.Tensor, kept: Arrays, averages: Arrays) -> Any:
            recall = Recall()
            passed = self._pass(_recalling(given.at(index), recall), values)
            known = {INPUTS: values, **recall.kept}
            moved = _written(averages, index, passed.averages)
            return index + 1, passed.values, _written(kept, index, known), moved

        averages = self._arrays(self.block.averages(given.active))
        start = (tf.constant(0), values, self._arrays(likes), averages)
        _, end, kept, averages = self._loop(once, start)
        return end, _stacked(averages), {name: each.stack() for name, each in kept.items()}

    def _backwards(
        self, given: Given, names: list[str], kept: Tensors, slope: tf.Tensor
    ) -> tuple[tf.Tensor, Tensors]:
        """Return the gradient of the first block's inputs, and of the weights by name."""
        likes = {
            name: tf.TensorSpec(
                [given.weights[name].shape[0], *given.weights[name].shape[2:]], slope.dtype
            )
            for name in names
        }

        def once(count: tf.Tensor, slope: tf.Tensor, arrays: Arrays) -> tuple[Any, ...]:
            index = self.times - 1 - count
            known = {name: tf.gather(each, index) for name, each in kept.items()}
            inputs = known.pop(INPUTS)
            own = given.at(index)
            watched = {name: own.weights[name] for name in names}
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch((inputs, watched))
                values = self._pass(_recalling(own, Recall(known)), inputs).values
            below, found = tape.gradient(
                values,
                (inputs, watched),
                output_gradients=slope,
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            return count + 1, below, _written(arrays, index, found)

        start = (tf.constant(0), slope, self._arrays(likes))
        _, slope, arrays = self._loop(once, start)
        return slope, _stacked(arrays)

    def _pass(self, given: Given, values: tf.Tensor) -> Passed:
        return self.block(given, values, {self.below: values})

    def _arrays(self, likes: Likes) -> Arrays:
        return {
            name: tf.TensorArray(like.dtype, size=self.times, element_shape=like.shape)
            for name, like in likes.items()
        }

    def _loop(self, once: Callable[..., Any], start: tuple[Any, ...]) -> tuple[Any, ...]:
        found: tuple[Any, ...] = tf.while_loop(
            lambda index, *_: index < self.times, once, start, maximum_iterations=self.times
        )
        return found


def _recalling(given: Given, recall: Recall) -> Given:
    """Return what is given, with a step that keeps or finds things."""
    return replace(given, step=replace(given.step, recall=recall)) if given.step else given


def _written(arrays: Arrays, index: tf.Tensor, values: Tensors) -> Arrays:
    return {name: each.write(index, values[name]) for name, each in arrays.items()}


def _stacked(arrays: Arrays) -> Tensors:
    """Return what the repetitions have left, [lanes, repetitions, ...] by name."""
    found = {}
    for name, each in arrays.items():
        value = each.stack()
        found[name] = tf.transpose(value, [1, 0, *range(2, value.shape.rank)])
    return found
