"""What the forward pass keeps for the backward pass where both are loops of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf


class Recall:
    """What is kept of a block's step, by name: noise, and products that are dear to compute.

    Backwards, the same block is passed with what was kept: what else its gradient needs is
    computed again.
    """

    def __init__(self, found: Mapping[str, tf.Tensor] | None = None) -> None:
        self.kept = dict(found or {})

    def noise(self, name: str, draw: Callable[[], tf.Tensor]) -> tf.Tensor:
        """Return the noise that was drawn, or draw it."""
        if name not in self.kept:
            self.kept[name] = draw()
        return self.kept[name]

    def product(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """Return these values, taken from what was kept: then nothing computes them again."""
        if name in self.kept:
            known: tf.Tensor = _known(values, self.kept[name])
            return known
        self.kept[name] = values
        return values


@tf.custom_gradient
def _known(values: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, Callable[..., object]]:
    """Return the known values, with the gradient of the others."""
    del values
    return tf.identity(known), lambda slope: (slope, None)
