"""Compiling, and taking a cohort's lanes one group after the other inside a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tree = Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as one XLA program per shape of its arguments."""
    return tf.function(function, jit_compile=True, autograph=False)


def by_groups(function: Callable[..., Tree], each: Tree, like: Tree, group: int) -> Tree:
    """Call a function with so many lanes of every tensor at a time, and join what it returns.

    `tf.map_fn` does the same with several times the operations, and without the shapes of what is
    returned, for want of which XLA translates the function twice.

    Parameters
    ----------
    function
        Takes and returns nests of tensors [group, ...].
    each
        Its arguments, of all lanes.
    like
        Tensors or their specifications, of the shapes it returns but for the lanes, and the types.
    group
        A divisor of the lanes.
    """
    lanes = tf.nest.flatten(each)[0].shape[0]
    if lanes == group:
        return function(*each)

    def take(index: tf.Tensor, arrays: Tree) -> tuple[tf.Tensor, Tree]:
        found = function(*_lanes(each, index * group, group))
        write = tf.nest.map_structure(lambda array, own: array.write(index, own), arrays, found)
        return index + 1, write

    times = lanes // group
    arrays = tf.nest.map_structure(
        lambda leaf: tf.TensorArray(leaf.dtype, times, element_shape=[group, *leaf.shape[1:]]), like
    )
    start = (tf.constant(0), arrays)
    _, arrays = tf.while_loop(lambda index, _: index < times, take, start, maximum_iterations=times)
    return tf.nest.map_structure(
        lambda array, leaf: tf.reshape(array.stack(), [lanes, *leaf.shape[1:]]), arrays, like
    )


def _lanes(tree: Tree, first: tf.Tensor, count: int) -> Tree:
    """Return so many lanes of every tensor, from the first on."""
    ranks = {leaf.shape.rank for leaf in tf.nest.flatten(tree)}
    begin = {rank: tf.stack([first] + [0] * (rank - 1)) for rank in sorted(ranks)}
    return tf.nest.map_structure(
        lambda leaf: tf.slice(leaf, begin[leaf.shape.rank], [count, *leaf.shape[1:]]), tree
    )
