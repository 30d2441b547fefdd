"""Statistics of the layers' outputs: mean, standard deviation and share of dead units.

One XLA program computes them, one lane at a time, because a batch may be a whole split.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from manyseeds_tensorflow.lanes_turns import in_turns
from manyseeds_tensorflow.layers import ForwardPass
from manyseeds_tensorflow.network import LaneNetwork, training_layers
from manyseeds_tensorflow.network_blocks import LayerArguments
from manyseeds_tensorflow.network_loops import Summary
from manyseeds_tensorflow.training import inputs_and_labels
from manyseeds_tensorflow.training_plans import DeviceBatch
from manyseeds_tensorflow.training_state import Fixed, Moving

Tree = Any


def activity(
    network: LaneNetwork,
    training: bool,
    moving: Moving,
    fixed: Fixed,
    batch: DeviceBatch,
    shared: tuple[Tree, ...],
) -> dict[str, tf.Tensor]:
    """Return mean, sd and share of dead units of every layer's outputs, by label, in float64.

    Each result is [lanes, 3], for a repeated layer [lanes, repetitions, 3]. `shared` holds the
    data, the layers' hyperparameters and the step in the noise counter.
    """
    data, hyperparameters, step = shared
    labels = [layer.label for layer in network.network.layers]
    active = training_layers(network.network, fixed.labels()) if training else ()

    def moments(moving: Moving, fixed: Fixed, batch: DeviceBatch) -> dict[str, tf.Tensor]:
        inputs, _ = inputs_and_labels(batch, data)
        weights = {**fixed.frozen, **moving.averages, **moving.weights}
        forward = ForwardPass(step, batch.rows.shape[1], batch.keys)
        arguments = LayerArguments(weights, hyperparameters, forward, active)
        summaries = network(arguments, inputs, summary=MOMENTS).summaries
        return {label: summaries[label] for label in labels}

    like = {
        label: tf.TensorSpec([None, *network.repetitions(label), MOMENTS.size], tf.float64)
        for label in labels
    }
    return in_turns(moments, (moving, fixed, batch), like, network.lanes)


def _moments(outputs: tf.Tensor) -> tf.Tensor:
    """Return mean, sd and share of dead units, [lanes, 3], of outputs [lanes, rows, units]."""
    # In float64: a sum over the rows of a whole split loses digits in float32.
    mean, variance = tf.nn.moments(tf.cast(outputs, tf.float64), axes=[1])
    dead = tf.cast(tf.reduce_all(outputs == 0, axis=1), tf.float64)
    over_units = [tf.reduce_mean(values, axis=-1) for values in (mean, tf.sqrt(variance), dead)]
    return tf.stack(over_units, axis=-1)


MOMENTS = Summary(_moments, 3)
