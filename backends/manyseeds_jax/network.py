"""A network of Flax modules, its losses and its penalties; one lane, for `jax.vmap`.

Every numeric hyperparameter is a run-time argument: networks of one `structure` share a compiled
program.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from manyseeds.backend.repeated_layers import LayerRun
from manyseeds.randomness.noise import blocks, normal_blocks
from manyseeds.techniques.layers import BatchNorm, Dense, GaussianNoise, Layer
from manyseeds.techniques.network import INPUT, Loss
from manyseeds_jax import noise as noises
from manyseeds_jax.layers import Pass, forward
from manyseeds_jax.layout import Layout
from manyseeds_jax.variables import MOVING, Variables

Tree = Any
Hyperparameters = Mapping[str, Mapping[str, Any]]


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
    observed
        What was observed of that which left each layer, by label, in a layout.
    moved
        The moving averages after a training step, by layer and Flax's name.
    """

    logits: jax.Array
    observed: dict[str, Any]
    moved: Tree


Observe = Callable[[jax.Array], Any]


class LaneLayers(nn.Module):
    """Some layers in a row of one lane's network.

    Attributes
    ----------
    layers
        Their structure; what is numeric in them comes with the call instead.
    """

    layers: tuple[Layer, ...]

    @nn.compact
    def __call__(
        self, inputs: jax.Array, hyperparameters: Hyperparameters, given: Pass
    ) -> jax.Array:
        """Return what leaves the last of them, of inputs [batch, units]."""
        values = inputs
        for layer in self.layers:
            values = forward(layer, values, hyperparameters[layer.label], given)
            given.outputs[layer.label] = values
        return values


class _Arrays(NamedTuple):
    """What a run has: variables, hyperparameters and keys of noise, in a layout."""

    variables: Variables
    hyperparameters: Hyperparameters
    keys: Mapping[str, jax.Array]

    def of(self, layers: Sequence[Layer]) -> _Arrays:
        """Return what belongs to some layers."""
        labels = {layer.label for layer in layers}
        own = {
            collection: {label: found[label] for label in found if label in labels}
            for collection, found in self.variables.items()
        }
        keys = {name: key for name, key in self.keys.items() if name.split("/")[0] in labels}
        return _Arrays(
            own, {layer.label: self.hyperparameters[layer.label] for layer in layers}, keys
        )


@dataclass(frozen=True)
class _Forward:
    """One pass through a network: what all its runs are given.

    Attributes
    ----------
    step
        That of the noise.
    batch_statistics
        The labels of the batch normalisations that use their batch's mean and variance.
    observe
        What to return of that which leaves a layer, [batch, units]; nothing by default.
    """

    step: jax.Array | None
    batch_statistics: frozenset[str]
    observe: Observe | None

    def through(self, layout: Layout, inputs: jax.Array, arrays: _Arrays) -> Outputs:
        """Return what a network gives for its inputs [batch, features]."""
        values, outputs = inputs, {INPUT: inputs}
        observed: dict[str, Any] = {}
        moved = dict(arrays.variables.get(MOVING, {}))
        for run in layout.runs:
            own = arrays.of(run.block)
            go = self._repeated if run.repeated else self._once
            values, (seen, averages) = go(run, outputs, values, own)
            outputs[run.blocks[-1][-1].label] = values
            observed |= seen
            moved |= averages
        return Outputs(values, observed, moved)

    def _once(
        self, run: LayerRun, outputs: dict[str, jax.Array], values: jax.Array, own: _Arrays
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        """Return what leaves a block, what was observed in it, and its averages that moved.

        Parameters
        ----------
        outputs
            What left the layers below, by label; those of the block are added.
        values
            What enters.
        """
        drawn = _drawn(run.block, own.keys, self.step, *values.shape)
        given = Pass(values.dtype, drawn, self.batch_statistics, outputs)
        module = LaneLayers(run.block)
        values, found = module.apply(
            own.variables, values, own.hyperparameters, given, mutable=[MOVING]
        )
        averages = found.get(MOVING, {})
        moved = {label: averages[label] for label in averages if label in self.batch_statistics}
        if self.observe is None:
            return values, ({}, moved)
        labels = [layer.label for layer in run.block]
        return values, ({label: self.observe(outputs[label]) for label in labels}, moved)

    def _repeated(
        self, run: LayerRun, outputs: dict[str, jax.Array], values: jax.Array, own: _Arrays
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        """Return the same of a repeated run, block after block: only one of them is compiled."""
        del outputs  # blocks refer to nothing but what enters them

        def block(values: jax.Array, own: _Arrays) -> tuple[jax.Array, tuple[Tree, Tree]]:
            return self._once(run, {run.below: values}, values, own)

        return jax.lax.scan(block, values, own, len(run.blocks))


def _drawn(
    layers: Sequence[Layer],
    keys: Mapping[str, jax.Array],
    step: jax.Array | None,
    batch: int,
    fan_in: int,
) -> dict[str, noises.Words]:
    """Return the words of every noise of some layers that has a key."""
    counts = {}
    for layer in layers:
        needed = normal_blocks if isinstance(layer, GaussianNoise) else blocks
        for label, elements in layer.noises(batch, fan_in).items():
            if label in keys:
                counts[label] = needed(elements)
        fan_in = layer.width(fan_in)
    return {} if step is None else noises.words(keys, step, counts)


def predict(
    layout: Layout,
    variables: Variables,
    inputs: jax.Array,
    hyperparameters: Hyperparameters,
    noise: Noise | None = None,
    observe: Observe | None = None,
) -> Outputs:
    """Return the outputs with the moving averages, which stay.

    Without noise nothing is dropped; where labels have no key, only the others are.
    """
    keys, step = noise or ({}, None)
    arrays = _Arrays(variables, hyperparameters, keys)
    return _Forward(step, frozenset(), observe).through(layout, inputs, arrays)


def train(
    layout: Layout,
    variables: Variables,
    inputs: jax.Array,
    hyperparameters: Hyperparameters,
    noise: Noise,
    frozen: Collection[str],
    observe: Observe | None = None,
) -> Outputs:
    """Return the outputs in a training step, where batches are normalised by their own statistics.

    Save by the layers that are frozen.
    """
    labels = {layer.label for layer in layout.layers if isinstance(layer, BatchNorm)}
    forward = _Forward(noise.step, frozenset(labels - set(frozen)), observe)
    return forward.through(layout, inputs, _Arrays(variables, hyperparameters, noise.keys))


def penalty(
    layout: Layout, weights: Mapping[str, Any], hyperparameters: Hyperparameters
) -> jax.Array:
    """Return the sum of the penalties of a network that has some, on weights by layer and name.

    |w| is w sign(w), whose derivative at 0 is 0; that of `jax.numpy.abs` is 1 there.
    """
    parts = []
    for layer in layout.layers:
        if not isinstance(layer, Dense) or not layer.penalty:
            continue
        kernel, own = weights[layer.label]["kernel"], hyperparameters[layer.label]
        sums = layout.each(layer.label, jnp.sum)
        if "l1" in own:
            parts.append(jnp.sum(own["l1"] * sums(kernel * jnp.sign(kernel))))
        if "l2" in own:
            parts.append(jnp.sum(own["l2"] * sums(kernel * kernel)))
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
