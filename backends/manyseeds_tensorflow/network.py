"""A network as a Keras model over stacked lanes, its activations and its losses.

Every numeric hyperparameter is a run-time argument ("knobs"): networks of one `structure` share
a compiled program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from manyseeds.activations import SELU_ALPHA, SELU_SCALE
from manyseeds.network import Dense, Loss, Network
from manyseeds_tensorflow.noise import dropout

Knobs = Mapping[str, Mapping[str, Any]]
Noise = Mapping[str, tf.Tensor]
When = tuple[tf.Tensor, tf.Tensor]
"""A batch's step in the noise counters, and how many rows it has."""


def leaky_relu(inputs: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU with a run-time slope, where `tf.nn.leaky_relu` has a fixed float32 one."""
    return tf.where(inputs > 0, inputs, alpha * inputs)


def elu(inputs: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """ELU with a run-time alpha, where `tf.nn.elu` has 1."""
    return tf.where(inputs > 0, inputs, alpha * tf.nn.elu(inputs))


def selu(inputs: tf.Tensor) -> tf.Tensor:
    """SELU with slope scale * alpha at 0, where `tf.nn.selu` has slope scale."""
    scale, alpha = (tf.constant(value, inputs.dtype) for value in (SELU_SCALE, SELU_ALPHA))
    return scale * elu(inputs, alpha)


ACTIVATIONS: Mapping[str, Callable[..., tf.Tensor]] = {
    "linear": tf.identity,
    "logistic": tf.nn.sigmoid,
    "tanh": tf.nn.tanh,
    "relu": tf.nn.relu,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": selu,
}
"""By name; each takes its inputs, then its hyperparameters by keyword."""


class LaneDropout(keras.layers.Layer):
    """Inverted dropout with the shared noise, where `keras.layers.Dropout` draws its own."""

    def call(
        self, inputs: tf.Tensor, key: tf.Tensor, when: When, knobs: Mapping[str, Any]
    ) -> tf.Tensor:
        """Return [lanes, batch, units] with elements dropped."""
        return dropout(inputs, key, *when, knobs["threshold"], knobs["scale"])


class LaneNetwork(keras.Model):
    """The networks of all lanes, up to the logits.

    Parameters
    ----------
    network
        Its structure; what is numeric in it comes with the call instead.
    features
        Of the inputs.
    lanes
        How many networks.
    dtype
        Of weights and activations.
    """

    def __init__(self, network: Network, features: int, lanes: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.network = network
        self.lanes = lanes
        self.stack: dict[str, keras.layers.Layer] = {}
        width = features
        for layer in network.layers:
            if isinstance(layer, Dense):
                own = _stacked_dense(layer, dtype)
                own.build((lanes, None, width))
                width = layer.units
            else:
                own = LaneDropout(dtype=dtype)
            self.stack[layer.label] = own
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        knobs: Knobs,
        noise: Noise | None = None,
        when: When | None = None,
    ) -> tf.Tensor:
        """Return the logits [lanes, batch, outputs] of inputs [lanes, batch, features].

        Without noise nothing is dropped: that is the network as it predicts.
        """
        values = inputs
        for layer in self.network.layers:
            own = self.stack[layer.label]
            if isinstance(layer, Dense):
                values = own(values)
                if layer is not self.network.layers[-1]:
                    values = ACTIVATIONS[layer.activation.name](values, **knobs[layer.label])
            elif noise is not None:
                values = own(values, noise[layer.label], when, knobs[layer.label])
        return values

    def logits(
        self,
        weights: Mapping[str, tf.Tensor],
        inputs: tf.Tensor,
        knobs: Knobs,
        noise: Noise | None = None,
        when: When | None = None,
    ) -> tf.Tensor:
        """Return what `call` does with these weights instead of its variables.

        Kernels are [lanes, in, out], biases [lanes, 1, out], by "layer/variable".
        """
        names = {id(variable): name for name, variable in self.by_name().items()}
        values = [weights[names[id(variable)]] for variable in self.trainable_variables]
        return self.stateless_call(values, [], inputs, knobs, noise, when)[0]

    def by_name(self) -> dict[str, keras.Variable]:
        """Return the variables by name."""
        return {
            f"{layer.label}/{name}": getattr(self.stack[layer.label], name)
            for layer in self.network.dense()
            for name in (("kernel", "bias") if layer.bias else ("kernel",))
        }


def _stacked_dense(layer: Dense, dtype: str) -> keras.layers.EinsumDense:
    """Return Keras' dense layer with an axis of lanes in its weights."""
    return keras.layers.EinsumDense(
        "sbi,sio->sbo",
        output_shape=(None, layer.units),
        bias_axes="so" if layer.bias else None,
        activation=None,
        kernel_initializer="zeros",
        bias_initializer="zeros",
        dtype=dtype,
    )


def losses(kind: Loss, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the loss of every example, [lanes, batch].

    Parameters
    ----------
    kind
        Which loss.
    logits
        [lanes, batch, outputs]
    labels
        Classes [lanes, batch] as integers; for the other losses targets [lanes, batch] or
        [lanes, batch, outputs].
    """
    if kind == "sparse_cross_entropy":
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    targets = tf.reshape(labels, logits.shape)
    if kind == "binary_cross_entropy":
        each = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    else:
        each = tf.math.squared_difference(logits, targets)
    return tf.reduce_mean(each, axis=-1)


def probabilities(kind: Loss, logits: tf.Tensor) -> tf.Tensor:
    """Return what the output activation makes of logits [lanes, batch, outputs]."""
    if kind == "sparse_cross_entropy":
        return tf.nn.softmax(logits)
    return tf.nn.sigmoid(logits) if kind == "binary_cross_entropy" else logits


def correct(kind: Loss, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return which examples are classified right, [lanes, batch], from their probabilities."""
    if kind == "sparse_cross_entropy":
        return tf.argmax(outputs, axis=-1, output_type=tf.int32) == labels  # the first of equals
    return (outputs[..., 0] > 0.5) == (tf.reshape(labels, outputs.shape[:-1]) > 0.5)
