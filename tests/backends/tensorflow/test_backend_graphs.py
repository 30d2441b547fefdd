"""Functions are named after what they compute, whatever was traced before them."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow")

import numpy as np
import tensorflow as tf

from manyseeds_tensorflow.backend_functions import XlaFunction, shapes_of
from manyseeds_tensorflow.backend_graphs import with_stable_names


def inputs():
    return tf.constant([0.3, -0.7]), {"count": tf.constant(3), "rate": tf.constant(0.1)}


@tf.custom_gradient
def cube(values):
    return values**3, lambda slope: 3 * slope * values**2


def descent(factor):
    """Functions of every kind in each other: loops, branches, gradients, custom gradients."""

    def function(values, limits):
        def step(index, values):
            with tf.GradientTape() as tape:
                tape.watch(values)
                even = tf.equal(index % 2, 0)
                loss = tf.cond(even, lambda: cube(values), lambda: tf.sin(values))
                loss = tf.while_loop(
                    lambda times, _: times < 2,
                    lambda times, inner: (times + 1, factor * limits["rate"] * inner),
                    (tf.constant(0), loss),
                    maximum_iterations=2,
                )[1]
            # The conditions do not use the rate.
            return index + 1, values - limits["rate"] * tape.gradient(loss, values)

        start = (tf.constant(0), values)
        return tf.while_loop(lambda index, _: index < limits["count"], step, start)[1]

    return function


def trace(factor=1.5):
    """The graph of a function that is traced anew, and so numbered anew."""
    compiled = tf.function(descent(factor), jit_compile=True, autograph=False)
    outer = tf.function(compiled, autograph=False)
    return outer.get_concrete_function(*inputs()).graph.as_graph_def()


def names_of(graph):
    return [function.signature.name for function in graph.library.function]


def test_functions_have_their_names_whatever_was_traced_before():
    first, second = trace(), trace()
    assert set(names_of(first)).isdisjoint(names_of(second))
    one, other = with_stable_names(first), with_stable_names(second)
    assert len(names_of(one)) >= 8
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


def test_functions_of_different_programs_share_no_name():
    one, other = with_stable_names(trace(1.5)), with_stable_names(trace(1.25))
    assert set(names_of(one)).isdisjoint(names_of(other))


def test_no_two_functions_of_a_program_share_a_name_and_none_keeps_its_own():
    graph = trace()
    before, after = names_of(graph), names_of(with_stable_names(graph))
    assert len(set(after)) == len(after)
    assert not any(name in str(with_stable_names(graph)) for name in before)


def test_the_traced_graph_stays_as_it_is():
    graph = trace()
    before = graph.SerializeToString(deterministic=True)
    with_stable_names(graph)
    assert graph.SerializeToString(deterministic=True) == before


def test_a_rebuilt_function_computes_the_same_twice_in_a_process():
    compiled = tf.function(descent(1.5), jit_compile=True, autograph=False)
    expected = compiled(*inputs())
    for _ in range(2):  # as two backends do
        rebuilt = XlaFunction(descent(1.5), inputs())
        np.testing.assert_array_equal(rebuilt(*inputs()), expected)


def test_results_keep_their_nest():
    def function(pair, named):
        return {"sum": pair[0] + pair[1], "rest": (named["b"], named["a"])}

    arguments = ((tf.constant(1), tf.constant(2)), {"b": tf.constant(3), "a": tf.constant(4)})
    result = XlaFunction(function, arguments)(*arguments)
    assert tf.nest.map_structure(int, result) == {"sum": 3, "rest": (3, 4)}


def test_shapes_tell_names_shapes_and_types_apart_but_not_the_order_of_names():
    one, two = tf.zeros([2]), tf.zeros([3], tf.float64)
    assert shapes_of({"a": one, "b": two}) == shapes_of({"b": two, "a": one})
    assert shapes_of({"a": one}) != shapes_of({"b": one})
    assert shapes_of((one,)) != shapes_of((two,))
    assert shapes_of((one,)) == shapes_of((one + 1,))
