"""Turns of a few lanes at a time inside a compiled program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tree = Any


def in_turns(
    function: Callable[..., Tree], arguments: tuple[Tree, ...], like: Tree, count: int
) -> Tree:
    """Call a function with `count` lanes of every tensor at a time, and join its results.

    `tf.map_fn` does the same with several times the operations, and does not know the shapes of
    the results, so that XLA translates the function twice.

    Parameters
    ----------
    function
        Takes and returns nests of tensors [count, ...].
    arguments
        The function's arguments, with all lanes.
    like
        Tensors or specifications with the types of the results, and their shapes but for the lanes.
    count
        A divisor of the number of lanes.
    """
    lanes = tf.nest.flatten(arguments)[0].shape[0]
    if lanes == count:
        return function(*arguments)

    def turn(index: tf.Tensor, arrays: Tree) -> tuple[tf.Tensor, Tree]:
        results = function(*_slice(arguments, index * count, count))
        written = tf.nest.map_structure(lambda array, own: array.write(index, own), arrays, results)
        return index + 1, written

    turns = lanes // count
    arrays = tf.nest.map_structure(
        lambda leaf: tf.TensorArray(leaf.dtype, turns, element_shape=[count, *leaf.shape[1:]]), like
    )
    start = (tf.constant(0), arrays)
    _, arrays = tf.while_loop(lambda index, _: index < turns, turn, start, maximum_iterations=turns)
    return tf.nest.map_structure(
        lambda array, leaf: tf.reshape(array.stack(), [lanes, *leaf.shape[1:]]), arrays, like
    )


def _slice(tree: Tree, first: tf.Tensor, count: int) -> Tree:
    """Return `count` lanes of every tensor, from the first one on."""
    ranks = {leaf.shape.rank for leaf in tf.nest.flatten(tree)}
    begin = {rank: tf.stack([first] + [0] * (rank - 1)) for rank in sorted(ranks)}
    return tf.nest.map_structure(
        lambda leaf: tf.slice(leaf, begin[leaf.shape.rank], [count, *leaf.shape[1:]]), tree
    )
