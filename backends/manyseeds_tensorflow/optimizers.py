"""The canonical optimizers as Keras optimizers over stacked lanes.

Rates, momenta and hyperparameters are read from a `Now`, filled in inside the compiled step with
that step's values: [lanes, 1, 1], so that they broadcast over weights of any layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from manyseeds.optimizers import Optimizer

Knobs = Mapping[str, Any]


@dataclass
class Now:
    """The step that is being taken.

    Attributes
    ----------
    rate, momentum
        Of this step, [lanes, 1, 1]; optimizers without a momentum ignore it.
    knobs
        The other hyperparameters by name, no axes.
    """

    rate: tf.Tensor = None
    momentum: tf.Tensor = None
    knobs: Knobs = field(default_factory=dict)


_PLAIN: Mapping[str, Any] = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""What Keras could add to any optimizer, and shall not."""


class LaneMomentum(keras.optimizers.SGD):
    """Momentum with a value per lane and step, where Keras' SGD has one Python float."""

    def __init__(self, now: Now, *, nesterov: bool) -> None:
        # Any momentum but 0 makes Keras keep velocities; the one used is `now.momentum`.
        super().__init__(lambda: now.rate, momentum=1.0, nesterov=nesterov, **_PLAIN)
        self._now = now

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Take Eq. 11-4: the velocity holds the rate; or Eq. 11-5 from the look-ahead point."""
        velocity = self.momentums[self._get_variable_index(variable)]
        descent = learning_rate * gradient
        self.assign(velocity, self._now.momentum * velocity - descent)
        step = self._now.momentum * velocity - descent if self.nesterov else velocity
        self.assign_add(variable, step)


class LaneAdam(keras.optimizers.Adam):
    """Adam with epsilon after the bias correction, where Keras adds it before."""

    def __init__(self, now: Now) -> None:
        super().__init__(lambda: now.rate, amsgrad=False, **_PLAIN)
        self._now = now

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Kingma and Ba 2015, Algorithm 1, with betas and epsilon as run-time values."""
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        beta1, beta2 = self._now.knobs["beta1"], self._now.knobs["beta2"]
        step = tf.cast(self.iterations + 1, variable.dtype)
        self.assign(mean, beta1 * mean + (1 - beta1) * gradient)
        self.assign(square, beta2 * square + (1 - beta2) * tf.square(gradient))
        unbiased = mean / (1 - tf.pow(beta1, step))
        root = tf.sqrt(square / (1 - tf.pow(beta2, step)))
        self.assign_sub(variable, learning_rate * unbiased / (root + self._now.knobs["epsilon"]))


def lane_optimizer(kind: str, now: Now) -> keras.optimizers.Optimizer:
    """Return a fresh optimizer by name, which reads its step's values from `now`."""
    if kind == "sgd":
        return keras.optimizers.SGD(lambda: now.rate, momentum=0.0, nesterov=False, **_PLAIN)
    if kind in ("momentum", "nesterov"):
        return LaneMomentum(now, nesterov=kind == "nesterov")
    return LaneAdam(now)


def knobs_of(optimizer: Optimizer, dtype: np.dtype[Any]) -> Knobs:
    """Return the hyperparameters that do not change from step to step, no axes."""
    return {
        name: np.asarray(value, dtype)
        for name, value in optimizer.hyperparameters().items()
        if name != "momentum"
    }
