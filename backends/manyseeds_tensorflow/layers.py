"""Keras layers over stacked lanes, with inputs and outputs [lanes, batch, units].

Keras' own layers fix their hyperparameters when they are made, and draw their own noise. Here
every numeric hyperparameter is a run-time argument, and the noise is the shared one. Each layer
takes its hyperparameters and the forward pass, which is None in prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from manyseeds.randomness.noise import SELU_FLOOR
from manyseeds.techniques import layers
from manyseeds.techniques.activations import Activation, PRelu, RRelu
from manyseeds_tensorflow import noise
from manyseeds_tensorflow.activations import activate
from manyseeds_tensorflow.layers_recall import Recall

Hyperparameters = Mapping[str, Any]


@dataclass(frozen=True)
class ForwardPass:
    """A forward pass in training mode, as layers see it.

    Attributes
    ----------
    step
        The step's number in the noise counter, uint32.
    rows
        Number of rows of the batch that count; the others fill it up. An `int` if all count.
    keys
        Keys of the noise: label -> [lanes, 2] uint32.
    recall
        Stores noise for the backward pass, where that is a loop of its own.
    """

    step: tf.Tensor
    rows: tf.Tensor | int
    keys: Mapping[str, tf.Tensor]
    recall: Recall | None = None

    def halves(self, label: str, inputs: tf.Tensor) -> tf.Tensor:
        """Return a layer's noise for its inputs."""
        return self._noise(label, self.rows, inputs)

    def kernel_halves(self, label: str, kernel: tf.Tensor) -> tf.Tensor:
        """Return the noise of a dense layer's kernel."""
        return self._noise(label, kernel.shape[1], kernel)

    def _noise(self, label: str, rows: tf.Tensor | int, like: tf.Tensor) -> tf.Tensor:
        def draw() -> tf.Tensor:
            return noise.halves(self.keys[label], self.step, rows, like.shape)

        return self.recall.noise(label, draw) if self.recall else draw()


class LaneDense(keras.layers.EinsumDense):
    """Keras' dense layer with an axis of lanes in its weights, and drop connect."""

    def __init__(self, layer: layers.Dense, **options: Any) -> None:
        super().__init__(
            "sbi,sio->sbo",
            output_shape=(None, layer.units),
            bias_axes="so" if layer.bias else None,
            activation=None,
            kernel_initializer="zeros",
            bias_initializer="zeros",
            name=layer.label,
            **options,
        )
        self.drops = layer.drop_connect is not None
        self.noise_label = f"{layer.label}/kernel"

    def call(
        self,
        inputs: tf.Tensor,
        hyperparameters: Hyperparameters,
        forward: ForwardPass | None = None,
    ) -> tf.Tensor:
        """Return the outputs before the activation, [lanes, batch, units]."""
        if forward is None or not self.drops:
            return super().call(inputs)
        kernel = tf.convert_to_tensor(self.kernel)
        halves = forward.kernel_halves(self.noise_label, kernel)
        kernel = noise.dropped(
            kernel, halves, hyperparameters["drop_threshold"], hyperparameters["drop_scale"]
        )
        outputs = tf.matmul(inputs, kernel)
        return outputs if self.bias is None else outputs + self.bias


class LabelledLayer(keras.layers.Layer):
    """A layer named by the label of its definition."""

    def __init__(self, label: str, **options: Any) -> None:
        # Keras would number its names over the process: see `backend_graphs`.
        super().__init__(name=label, **options)
        self.label = label


class LaneActivation(LabelledLayer):
    """An activation, with the slopes it learns or draws."""

    def __init__(self, label: str, function: Activation, **options: Any) -> None:
        super().__init__(label, **options)
        self.function = function

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create the slopes of a prelu."""
        if isinstance(self.function, PRelu):
            self.slope = self.add_weight((shape[0], 1, shape[2]), "zeros", name="slope")

    def call(
        self,
        inputs: tf.Tensor,
        hyperparameters: Hyperparameters,
        forward: ForwardPass | None = None,
    ) -> tf.Tensor:
        """Return the activation of inputs [lanes, batch, units]."""
        function = self.function
        arguments = {name: hyperparameters[name] for name in function.hyperparameters()}
        if isinstance(function, PRelu):
            arguments["slope"] = self.slope.value
        if isinstance(function, RRelu) and forward is not None:
            arguments["share"] = noise.shares(forward.halves(self.label, inputs), inputs.dtype)
        return activate(function.name, inputs, arguments)


class LaneBatchNorm(LabelledLayer):
    """Batch normalisation; Keras' own layer fixes momentum and epsilon when it is made."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create the four variables."""
        units = (shape[0], 1, shape[2])
        self.gamma = self.add_weight(units, "ones", name="gamma")
        self.beta = self.add_weight(units, "zeros", name="beta")
        self.mean = self.add_weight(units, "zeros", trainable=False, name="moving_mean")
        self.variance = self.add_weight(units, "ones", trainable=False, name="moving_variance")

    def call(
        self,
        inputs: tf.Tensor,
        hyperparameters: Hyperparameters,
        forward: ForwardPass | None = None,
    ) -> tf.Tensor:
        """Return normalised inputs [lanes, batch, units]; in training the averages move."""
        mean, variance = self.mean.value, self.variance.value
        if forward is not None:
            momentum = hyperparameters["momentum"]
            moving, moments = (mean, variance), _moments(inputs, forward.rows)
            for average, old, new in zip((self.mean, self.variance), moving, moments, strict=True):
                average.assign(momentum * old + (1 - momentum) * new)
            mean, variance = moments
        return tf.nn.batch_normalization(
            inputs, mean, variance, self.beta.value, self.gamma.value, hyperparameters["epsilon"]
        )


def _moments(inputs: tf.Tensor, rows: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and biased variance over the rows that count, [lanes, 1, units] each."""
    if isinstance(rows, int):
        return tf.nn.moments(inputs, axes=[1], keepdims=True)
    counted = (tf.range(inputs.shape[1]) < rows)[:, None]

    def mean_of(values: tf.Tensor) -> tf.Tensor:
        masked = tf.where(counted, values, tf.zeros_like(values))
        return tf.reduce_sum(masked, axis=1, keepdims=True) / tf.cast(rows, values.dtype)

    mean = mean_of(inputs)
    # As in `tf.nn.moments`, the gradient of the variance does not pass through the mean.
    return mean, mean_of(tf.math.squared_difference(inputs, tf.stop_gradient(mean)))


class LaneDropout(LabelledLayer):
    """Inverted dropout with the shared noise; `keras.layers.Dropout` draws its own."""

    def call(
        self,
        inputs: tf.Tensor,
        hyperparameters: Hyperparameters,
        forward: ForwardPass | None = None,
    ) -> tf.Tensor:
        """Return inputs [lanes, batch, units], in training with elements dropped."""
        if forward is None:
            return inputs
        halves = forward.halves(self.label, inputs)
        return noise.dropped(inputs, halves, hyperparameters["threshold"], hyperparameters["scale"])


class LaneAlphaDropout(LabelledLayer):
    """Alpha dropout with the shared noise."""

    def call(
        self,
        inputs: tf.Tensor,
        hyperparameters: Hyperparameters,
        forward: ForwardPass | None = None,
    ) -> tf.Tensor:
        """Return inputs [lanes, batch, units], in training with elements set to selu's floor."""
        if forward is None:
            return inputs
        mask = noise.keep_mask(forward.halves(self.label, inputs), hyperparameters["threshold"])
        floor = tf.constant(SELU_FLOOR, inputs.dtype)
        return hyperparameters["a"] * tf.where(mask, inputs, floor) + hyperparameters["b"]


class LaneNoise(LabelledLayer):
    """White noise from the shared bits; `keras.layers.GaussianNoise` draws its own."""

    def call(
        self,
        inputs: tf.Tensor,
        hyperparameters: Hyperparameters,
        forward: ForwardPass | None = None,
    ) -> tf.Tensor:
        """Return inputs [lanes, batch, units], in training with noise added."""
        if forward is None:
            return inputs
        key = forward.keys[self.label]
        return inputs + hyperparameters["sd"] * noise.normals(
            key, forward.step, forward.rows, inputs.shape, inputs.dtype
        )


class LaneScale(LabelledLayer):
    """One learned factor for all units."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create the multiplier."""
        self.multiplier = self.add_weight((shape[0], 1, 1), "ones", name="multiplier")

    def call(
        self,
        inputs: tf.Tensor,
        hyperparameters: Hyperparameters,
        forward: ForwardPass | None = None,
    ) -> tf.Tensor:
        """Return inputs [lanes, batch, units] times the factor."""
        del hyperparameters, forward
        return inputs * self.multiplier.value


_OTHERS: Mapping[str, type[LabelledLayer]] = {
    "batch_norm": LaneBatchNorm,
    "dropout": LaneDropout,
    "alpha_dropout": LaneAlphaDropout,
    "gaussian_noise": LaneNoise,
    "scale": LaneScale,
}


def lane_layers(layer: layers.Layer, dtype: str) -> tuple[keras.layers.Layer, ...]:
    """Return the Keras layers that a layer stands for, in order; a skip has none."""
    label = layer.label
    match layer:
        case layers.Dense():
            linear = LaneDense(layer, dtype=dtype)
            return linear, LaneActivation(label, layer.activation, dtype=dtype)
        case layers.ActivationLayer():
            return (LaneActivation(label, layer.function, dtype=dtype),)
        case layers.Skip():
            return ()
    return (_OTHERS[layer.name](label, dtype=dtype),)
