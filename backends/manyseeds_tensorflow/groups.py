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

    Parameters
    ----------
    function
        Takes and returns nests of tensors [group, ...].
    each
        Its arguments, of all lanes.
    like
        Tensors of the types it returns.
    group
        A divisor of the lanes.
    """
    split = tf.nest.map_structure(
        lambda value: tf.reshape(value, (-1, group, *value.shape[1:])), each
    )
    types = tf.nest.map_structure(lambda value: value.dtype, like)
    parts = tf.map_fn(lambda part: function(*part), split, fn_output_signature=types)
    return tf.nest.map_structure(lambda value: tf.reshape(value, (-1, *value.shape[2:])), parts)
