"""What leaves each layer, inside one XLA program; a lane at a time, as batches may be splits."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from manyseeds_tensorflow.blocks import Given
from manyseeds_tensorflow.groups import by_groups
from manyseeds_tensorflow.layers import Step
from manyseeds_tensorflow.loops import Note
from manyseeds_tensorflow.network import LaneNetwork, training_layers
from manyseeds_tensorflow.training import Moving, Seen, Still, batch_of

Tree = Any

MOMENTS = 3
"""Numbers that are noted of a layer."""


def activity(
    network: LaneNetwork,
    training: bool,
    moving: Moving,
    still: Still,
    seen: Seen,
    shared: tuple[Tree, ...],
) -> dict[str, tf.Tensor]:
    """Return mean, sd and share of dead units of every layer by label, in float64.

    They are [lanes, 3], of repeated layers [lanes, repetitions, 3].

    `shared` is the data, the layers' hyperparameters and the step in the noise counter.
    """
    data, hyperparameters, number = shared
    labels = [layer.label for layer in network.network.layers]
    active = training_layers(network.network, still.labels()) if training else ()

    def moments(moving: Moving, still: Still, seen: Seen) -> dict[str, tf.Tensor]:
        inputs, _ = batch_of(seen, data)
        weights = {**still.frozen, **moving.averages, **moving.weights}
        step = Step(number, seen.rows.shape[1], seen.keys)
        given = Given(weights, hyperparameters, step, active)
        notes = network(given, inputs, note=Note(_moments, MOMENTS)).notes
        return {label: notes[label] for label in labels}

    like = {
        label: tf.TensorSpec([None, *network.repetitions(label), MOMENTS], tf.float64)
        for label in labels
    }
    found: dict[str, tf.Tensor] = by_groups(moments, (moving, still, seen), like, network.lanes)
    return found


def _moments(outputs: tf.Tensor) -> tf.Tensor:
    """Return mean, sd and share of dead units of outputs [lanes, rows, units], [lanes, 3]."""
    # In float64: a sum over the rows of a whole split loses digits in float32.
    mean, variance = tf.nn.moments(tf.cast(outputs, tf.float64), axes=[1])
    dead = tf.cast(tf.reduce_all(outputs == 0, axis=1), tf.float64)
    over_units = [tf.reduce_mean(each, axis=-1) for each in (mean, tf.sqrt(variance), dead)]
    return tf.stack(over_units, axis=-1)
