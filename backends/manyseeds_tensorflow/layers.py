"""Keras layers over stacked lanes: what passes through them is [lanes, batch, units].

Where Keras has a layer of its own, it fixes its hyperparameters when it is made and draws its own
noise; in these every numeric hyperparameter is a run-time argument, and the noise is the shared
one. Each takes the hyperparameters of its layer, and the step in training, None in prediction.
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
from manyseeds_tensorflow.activations import ACTIVATIONS
from manyseeds_tensorflow.recall import Recall

Hyperparameters = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A step in training, as layers see it.

    Attributes
    ----------
    number
        In the noise counter, uint32.
    rows
        How many rows of the batch count; the others pad it. A number where all count.
    keys
        Of the noise, label -> [lanes, 2] uint32.
    recall
        What keeps noise for the backward pass, where that is a loop of its own.
    """

    number: tf.Tensor
    rows: tf.Tensor | int
    keys: Mapping[str, tf.Tensor]
    recall: Recall | None = None

    def halves(self, label: str, inputs: tf.Tensor) -> tf.Tensor:
        """Return a layer's noise for its inputs."""
        return self._drawn(label, self.rows, inputs)

    def halves_of_kernel(self, label: str, kernel: tf.Tensor) -> tf.Tensor:
        """Return the noise of a dense layer's kernel."""
        return self._drawn(label, kernel.shape[1], kernel)

    def _drawn(self, label: str, rows: tf.Tensor | int, like: tf.Tensor) -> tf.Tensor:
        def draw() -> tf.Tensor:
            return noise.halves(self.keys[label], self.number, rows, like.shape)

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
        self.noise = f"{layer.label}/kernel"

    def call(
        self, inputs: tf.Tensor, hyperparameters: Hyperparameters, step: Step | None = None
    ) -> tf.Tensor:
        """Return [lanes, batch, units], linear."""
        if step is None or not self.drops:
            return super().call(inputs)
        kernel = tf.convert_to_tensor(self.kernel)
        drawn = step.halves_of_kernel(self.noise, kernel)
        kernel = noise.dropped(
            kernel, drawn, hyperparameters["drop_threshold"], hyperparameters["drop_scale"]
        )
        outputs = tf.matmul(inputs, kernel)
        return outputs if self.bias is None else outputs + self.bias


class LabelledLayer(keras.layers.Layer):
    """A layer that knows the label of its definition."""

    def __init__(self, label: str, **options: Any) -> None:
        # Keras' own names count up over the process: see `manyseeds_tensorflow.names`.
        super().__init__(name=label, **options)
        self.label = label


class LaneActivation(LabelledLayer):
    """An activation, with what it learns or draws."""

    def __init__(self, label: str, function: Activation, **options: Any) -> None:
        super().__init__(label, **options)
        self.function = function

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the slopes of a prelu."""
        if isinstance(self.function, PRelu):
            self.slope = self.add_weight((shape[0], 1, shape[2]), "zeros", name="slope")

    def call(
        self, inputs: tf.Tensor, hyperparameters: Hyperparameters, step: Step | None = None
    ) -> tf.Tensor:
        """Return what the activation makes of [lanes, batch, units]."""
        function = self.function
        own = {name: hyperparameters[name] for name in function.hyperparameters()}
        if isinstance(function, PRelu):
            own["slope"] = self.slope.value
        if isinstance(function, RRelu) and step is not None:
            own["share"] = noise.shares(step.halves(self.label, inputs), inputs.dtype)
        return ACTIVATIONS[function.name](inputs, **own)


class LaneBatchNorm(LabelledLayer):
    """Batch normalisation, where Keras' own has a momentum and an epsilon that are fixed."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the four variables."""
        units = (shape[0], 1, shape[2])
        self.gamma = self.add_weight(units, "ones", name="gamma")
        self.beta = self.add_weight(units, "zeros", name="beta")
        self.mean = self.add_weight(units, "zeros", trainable=False, name="moving_mean")
        self.variance = self.add_weight(units, "ones", trainable=False, name="moving_variance")

    def call(
        self, inputs: tf.Tensor, hyperparameters: Hyperparameters, step: Step | None = None
    ) -> tf.Tensor:
        """Return [lanes, batch, units] normalised; in training the averages move."""
        mean, variance = self.mean.value, self.variance.value
        if step is not None:
            momentum = hyperparameters["momentum"]
            moving, moments = (mean, variance), _moments(inputs, step.rows)
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
    counts = (tf.range(inputs.shape[1]) < rows)[:, None]

    def mean_of(values: tf.Tensor) -> tf.Tensor:
        real = tf.where(counts, values, tf.zeros_like(values))
        return tf.reduce_sum(real, axis=1, keepdims=True) / tf.cast(rows, values.dtype)

    mean = mean_of(inputs)
    # As in `tf.nn.moments`: the variance has no slope along the mean.
    return mean, mean_of(tf.math.squared_difference(inputs, tf.stop_gradient(mean)))


class LaneDropout(LabelledLayer):
    """Inverted dropout with the shared noise, where `keras.layers.Dropout` draws its own."""

    def call(
        self, inputs: tf.Tensor, hyperparameters: Hyperparameters, step: Step | None = None
    ) -> tf.Tensor:
        """Return [lanes, batch, units] with elements dropped in training."""
        if step is None:
            return inputs
        drawn = step.halves(self.label, inputs)
        return noise.dropped(inputs, drawn, hyperparameters["threshold"], hyperparameters["scale"])


class LaneAlphaDropout(LabelledLayer):
    """Alpha dropout with the shared noise."""

    def call(
        self, inputs: tf.Tensor, hyperparameters: Hyperparameters, step: Step | None = None
    ) -> tf.Tensor:
        """Return [lanes, batch, units] with elements dropped to selu's floor in training."""
        if step is None:
            return inputs
        kept = noise.kept(step.halves(self.label, inputs), hyperparameters["threshold"])
        floor = tf.constant(SELU_FLOOR, inputs.dtype)
        return hyperparameters["a"] * tf.where(kept, inputs, floor) + hyperparameters["b"]


class LaneNoise(LabelledLayer):
    """White noise from the shared bits, where `keras.layers.GaussianNoise` draws its own."""

    def call(
        self, inputs: tf.Tensor, hyperparameters: Hyperparameters, step: Step | None = None
    ) -> tf.Tensor:
        """Return [lanes, batch, units] with noise in training."""
        if step is None:
            return inputs
        key, number, rows = step.keys[self.label], step.number, step.rows
        return inputs + hyperparameters["sd"] * noise.normals(
            key, number, rows, inputs.shape, inputs.dtype
        )


class LaneScale(LabelledLayer):
    """One learned factor."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the multiplier."""
        self.multiplier = self.add_weight((shape[0], 1, 1), "ones", name="multiplier")

    def call(
        self, inputs: tf.Tensor, hyperparameters: Hyperparameters, step: Step | None = None
    ) -> tf.Tensor:
        """Return [lanes, batch, units] times the factor."""
        del hyperparameters, step
        return inputs * self.multiplier.value


_OTHERS: Mapping[str, type[LabelledLayer]] = {
    "batch_norm": LaneBatchNorm,
    "dropout": LaneDropout,
    "alpha_dropout": LaneAlphaDropout,
    "gaussian_noise": LaneNoise,
    "scale": LaneScale,
}


def lane_layers(layer: layers.Layer, dtype: str) -> tuple[keras.layers.Layer, ...]:
    """Return what a layer does to stacked lanes, one after the other; a skip is not among them."""
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
