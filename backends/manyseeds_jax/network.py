"""A network as a Flax module, its losses and its penalties; one lane, for `jax.vmap`.

Every numeric hyperparameter is a run-time argument ("knobs"): networks of one `structure` share
a compiled program.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from manyseeds.activations import Linear
from manyseeds.layers import BatchNorm, GaussianNoise
from manyseeds.network import INPUT, Loss, Network
from manyseeds.noise import blocks, normal_blocks
from manyseeds_jax import noise as noises
from manyseeds_jax.layers import Pass, forward
from manyseeds_jax.variables import MOVING, Variables

Tree = Any
Knobs = Mapping[str, Mapping[str, Any]]


class Noise(NamedTuple):
    """One lane's noise of a step: keys [2] by label, and the step in the counter."""

    keys: Mapping[str, jax.Array]
    step: jax.Array


class Outputs(NamedTuple):
    """What a pass through a network gives.

    Attributes
    ----------
    logits
        [batch, units of the output]
    layers
        What left the layers below the output, [batch, units], by label, in order.
    moved
        The moving averages after a training step, by layer and Flax's name.
    """

    logits: jax.Array
    layers: dict[str, jax.Array]
    moved: Tree


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
        noise: Noise | None,
        batch_statistics: frozenset[str],
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Return the logits of inputs [batch, features], and what left the layers below.

        Without noise nothing is dropped; where labels have no key, only the others are.
        """
        drawn = _drawn(self.network, noise, *inputs.shape) if noise else {}
        given = Pass(self.dtype, drawn, batch_statistics, {INPUT: inputs})
        values = inputs
        for layer in self.network.layers[:-1]:
            values = forward(layer, values, knobs[layer.label], given)
            given.outputs[layer.label] = values
        output = self.network.output
        linear = output.model_copy(update={"activation": Linear()})
        logits = forward(linear, values, knobs[output.label], given)
        return logits, {label: v for label, v in given.outputs.items() if label != INPUT}


def _drawn(network: Network, noise: Noise, batch: int, features: int) -> dict[str, noises.Words]:
    """Return the words of every noise that has a key."""
    normal = {layer.label for layer in network.layers if isinstance(layer, GaussianNoise)}
    counts = {
        label: normal_blocks(elements) if label in normal else blocks(elements)
        for label, elements in network.noises(batch, features).items()
        if label in noise.keys
    }
    return noises.words(noise.keys, noise.step, counts)


def predict(
    network: Network,
    variables: Variables,
    inputs: jax.Array,
    knobs: Knobs,
    noise: Noise | None = None,
) -> Outputs:
    """Return the outputs with the moving averages, which stay."""
    module = LaneNetwork(network, inputs.dtype)
    logits, layers = module.apply(variables, inputs, knobs, noise, frozenset())
    return Outputs(logits, layers, variables.get(MOVING, {}))


def train(
    network: Network,
    variables: Variables,
    inputs: jax.Array,
    knobs: Knobs,
    noise: Noise,
    frozen: Collection[str],
) -> Outputs:
    """Return the outputs in a training step, where batches are normalised by their own statistics.

    Save by the layers that are frozen.
    """
    labels = {layer.label for layer in network.layers if isinstance(layer, BatchNorm)}
    module = LaneNetwork(network, inputs.dtype)
    (logits, layers), moved = module.apply(
        variables, inputs, knobs, noise, frozenset(labels - set(frozen)), mutable=[MOVING]
    )
    return Outputs(logits, layers, moved.get(MOVING, {}))


def penalty(network: Network, weights: Mapping[str, Any], knobs: Knobs) -> jax.Array:
    """Return the sum of the penalties of a network that has some, on weights by layer and name.

    |w| is w sign(w), whose derivative at 0 is 0; that of `jax.numpy.abs` is 1 there.
    """
    parts = []
    for layer in network.dense():
        kernel, own = weights[layer.label]["kernel"], knobs[layer.label]
        if layer.penalty and "l1" in own:
            parts.append(own["l1"] * jnp.sum(kernel * jnp.sign(kernel)))
        if layer.penalty and "l2" in own:
            parts.append(own["l2"] * jnp.sum(kernel * kernel))
    return functools.reduce(operator.add, parts)


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
