"""The values a forward pass stores for the backward pass, where both are loops of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import tensorflow as tf


class Recall:
    """The stored noise and products of a block's step, by name.

    The forward pass fills it. The backward pass runs the same block again with the stored values,
    and computes everything else that the gradient needs anew.

    Parameters
    ----------
    stored
        The values of the forward pass; None in the forward pass itself.
    """

    def __init__(self, stored: Mapping[str, tf.Tensor] | None = None) -> None:
        self.stored = dict(stored or {})

    def noise(self, name: str, draw: Callable[[], tf.Tensor]) -> tf.Tensor:
        """Return the stored noise, or draw and store it."""
        if name not in self.stored:
            self.stored[name] = draw()
        return self.stored[name]

    def product(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """Return the stored values of a product; without any, store and return these.

        The stored ones replace these in the graph, so that XLA does not compute them again.
        """
        if name in self.stored:
            replaced: tf.Tensor = _replaced(values, self.stored[name])
            return replaced
        self.stored[name] = values
        return values


@tf.custom_gradient
def _replaced(values: tf.Tensor, stored: tf.Tensor) -> tuple[tf.Tensor, Callable[..., object]]:
    """Return the stored values, with the gradient of the others."""
    del values
    return tf.identity(stored), lambda slope: (slope, None)
