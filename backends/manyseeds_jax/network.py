"""A network as a Flax module, its activations and its losses; one lane, for `jax.vmap`.

Every numeric hyperparameter is a run-time argument ("knobs"): networks of one `structure` share
a compiled program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from manyseeds.network import Dense, Loss, Network
from manyseeds_jax.noise import dropout, halves

Knobs = Mapping[str, Mapping[str, Any]]
Noise = tuple[Mapping[str, jax.Array], jax.Array]
"""The keys of one lane by layer label, and the step in the counter."""


def leaky_relu(inputs: jax.Array, alpha: jax.Array) -> jax.Array:
    """Leaky ReLU with slope alpha at 0, where `jax.nn.leaky_relu` has slope 1."""
    return jnp.where(inputs > 0, inputs, alpha * inputs)


ACTIVATIONS: Mapping[str, Callable[..., jax.Array]] = {
    "linear": lambda inputs: inputs,
    "logistic": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
}
"""By name; each takes its inputs, then its hyperparameters by keyword."""


class LaneDropout(nn.Module):
    """Inverted dropout with the shared noise, where `flax.linen.Dropout` draws its own."""

    @nn.compact
    def __call__(self, inputs: jax.Array, noise: jax.Array, knobs: Mapping[str, Any]) -> jax.Array:
        """Return [batch, units] with elements dropped; noise is a half for each of them."""
        return dropout(inputs, noise, knobs["threshold"], knobs["scale"])


class LaneNetwork(nn.Module):
    """One lane's network, up to the logits.

    Attributes
    ----------
    network
        Its structure; what is numeric in it comes with the call instead.
    dtype
        Of weights and activations.
    """

    network: Network
    dtype: Any

    @nn.compact
    def __call__(
        self,
        inputs: jax.Array,
        knobs: Knobs,
        noise: Noise | None = None,
    ) -> jax.Array:
        """Return the logits [batch, units of the output] of inputs [batch, features].

        Without noise nothing is dropped: that is the network as it predicts.
        """
        drawn = halves(*noise, self.elements(*inputs.shape)) if noise else {}
        values = inputs
        for layer in self.network.layers:
            if isinstance(layer, Dense):
                values = nn.Dense(
                    layer.units,
                    use_bias=layer.bias,
                    dtype=self.dtype,
                    param_dtype=self.dtype,
                    name=layer.label,
                )(values)
                if layer is not self.network.layers[-1]:
                    values = ACTIVATIONS[layer.activation.name](values, **knobs[layer.label])
            elif noise:
                drop = LaneDropout(name=layer.label)
                values = drop(values, drawn[layer.label], knobs[layer.label])
        return values

    def elements(self, batch: int, features: int) -> dict[str, int]:
        """Return how many elements enter each dropout layer, by label."""
        widths = self.network.widths(features)
        return {layer.label: batch * widths[layer.label] for layer in self.network.dropouts()}


def losses(kind: Loss, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the loss of every example, [batch].

    Parameters
    ----------
    kind
        Which loss.
    logits
        [batch, outputs]
    labels
        Classes [batch] as integers; for the other losses targets [batch] or [batch, outputs].
    """
    if kind == "sparse_cross_entropy":
        classes = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        return optax.softmax_cross_entropy(logits, classes)
    targets = labels.reshape(logits.shape)
    if kind == "binary_cross_entropy":
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, targets), axis=-1)
    return jnp.mean(optax.squared_error(logits, targets), axis=-1)


def probabilities(kind: Loss, logits: jax.Array) -> jax.Array:
    """Return what the output activation makes of logits [batch, outputs]."""
    if kind == "sparse_cross_entropy":
        return jax.nn.softmax(logits)
    return jax.nn.sigmoid(logits) if kind == "binary_cross_entropy" else logits


def correct(kind: Loss, outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Return which examples are classified right, [batch], from their probabilities."""
    if kind == "sparse_cross_entropy":
        return jnp.argmax(outputs, axis=-1) == labels  # the first of equals
    return (outputs[:, 0] > 0.5) == (labels.reshape(-1) > 0.5)
