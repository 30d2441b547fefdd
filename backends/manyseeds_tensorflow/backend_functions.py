"""One function compiled by XLA for arguments of one shape.

A `tf.function` would do, except for the names it assigns: see `backend_graphs`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import tensorflow as tf

from manyseeds_tensorflow.backend_graphs import with_stable_names

Tree = Any
"""A nest of tensors: tuples, named tuples and mappings."""


class XlaFunction:
    """A function as one XLA program, for arguments of the shapes it was traced with.

    It is traced when it is made, and compiled by its first call.

    Parameters
    ----------
    function
        Takes and returns nests of tensors.
    arguments
        Examples of its arguments.
    """

    def __init__(self, function: Callable[..., Tree], arguments: tuple[Tree, ...]) -> None:
        compiled = tf.function(function, jit_compile=True, autograph=False)

        def flat(*leaves: tf.Tensor) -> Tree:
            return compiled(*tf.nest.pack_sequence_as(arguments, leaves))

        specifications = [tf.TensorSpec(x.shape, x.dtype) for x in tf.nest.flatten(arguments)]
        traced = tf.function(flat, autograph=False).get_concrete_function(*specifications)
        self._outputs = traced.structured_outputs
        self._call = _rebuilt(traced, specifications)

    def __call__(self, *arguments: Tree) -> Tree:
        """Return the function's result for arguments of these shapes."""
        outputs = self._call(*tf.nest.flatten(arguments))
        return tf.nest.pack_sequence_as(self._outputs, outputs)


def _rebuilt(traced: Any, specifications: list[tf.TensorSpec]) -> Callable[..., Any]:
    """Return a traced function, rebuilt from its graph under stable names."""
    graph = with_stable_names(traced.graph.as_graph_def())
    inputs, outputs = ([tensor.name for tensor in side] for side in (traced.inputs, traced.outputs))

    def body(*leaves: tf.Tensor) -> list[tf.Tensor]:
        # Anything captured from outside would be an input without a leaf.
        places = dict(zip(inputs, leaves, strict=True))
        return tf.graph_util.import_graph_def(graph, input_map=places, return_elements=outputs)

    return tf.compat.v1.wrap_function(body, specifications)


def shapes_of(tree: Tree) -> Hashable:
    """Return the structure of a nest of tensors with their shapes and types.

    The order of a mapping's keys does not matter.
    """
    if isinstance(tree, Mapping):
        return tuple((key, shapes_of(tree[key])) for key in sorted(tree))
    if isinstance(tree, tuple):
        return tuple(map(shapes_of, tree))
    return (tuple(tree.shape), tree.dtype.name)
