"""The forward pass through one lane's network of Flax modules.

Every numeric hyperparameter is a run-time argument: networks of one `structure` share a compiled
program.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from manyseeds.backend.repeated_layers import LayerRun
from manyseeds.randomness.noise import blocks, normal_blocks
from manyseeds.techniques.layers import AlphaDropout, BatchNorm, Dropout, GaussianNoise, Layer
from manyseeds.techniques.network import INPUT, Network
from manyseeds_jax.layers import ForwardPass, forward
from manyseeds_jax.network_layout import NetworkLayout
from manyseeds_jax.network_variables import AVERAGES, Variables
from manyseeds_jax.noise import Words, words

Tree = Any
Hyperparameters = Mapping[str, Mapping[str, Any]]
"""Arrays without axes, by layer and name."""
Observe = Callable[[jax.Array], Any]
"""A measurement of one layer's output, [batch, units]."""


class StepNoise(NamedTuple):
    """The noise of one lane's step: keys [2] by label, and the step in the counter."""

    keys: Mapping[str, jax.Array]
    step: jax.Array


class NetworkOutputs(NamedTuple):
    """The results of a pass through a network.

    Attributes
    ----------
    logits
        [batch, outputs]
    observed
        The measurements of every layer's output, by label, in the network's layout.
    averages
        The moving averages after the pass, by layer and Flax's name.
    """

    logits: jax.Array
    observed: dict[str, Any]
    averages: Tree


@dataclass(frozen=True)
class LaneNetwork:
    """A network as one lane's program computes it.

    Attributes
    ----------
    definition
        The network as the recipe defines it.
    layout
        The layout of its arrays.
    frozen
        The labels of the layers whose weights stay the same.
    """

    definition: Network
    layout: NetworkLayout
    frozen: tuple[str, ...]

    @classmethod
    def of(cls, network: Network, features: int, frozen: tuple[str, ...]) -> LaneNetwork:
        """Return a network whose inputs have this width, with some of its layers frozen."""
        return cls(network, NetworkLayout.of(network, features, frozen), frozen)

    @cached_property
    def prediction_name(self) -> Hashable:
        """A name that networks share if they share their prediction programs."""
        return (self.definition.structure(), self.layout.signature())

    @property
    def gradient_name(self) -> Hashable:
        """A name that networks share if they share their gradient programs."""
        return (self.prediction_name, self.frozen)

    @property
    def dropouts(self) -> tuple[str, ...]:
        """The labels of the layers that act when the network is sampled."""
        return tuple(
            layer.label
            for layer in self.definition.layers
            if isinstance(layer, Dropout | AlphaDropout)
        )

    def predict(
        self,
        variables: Variables,
        inputs: jax.Array,
        hyperparameters: Hyperparameters,
        noise: StepNoise | None = None,
        observe: Observe | None = None,
    ) -> NetworkOutputs:
        """Return the outputs with the moving averages, which stay the same.

        Parameters
        ----------
        variables
            The lane's weights.
        inputs
            [batch, features]
        hyperparameters
            The layers' numbers.
        noise
            The keys of the noises that are on, and the step; by default all noise is off.
        observe
            Measures every layer's output.
        """
        keys, step = noise or ({}, None)
        arrays = _Arrays(variables, hyperparameters, keys)
        return _Runs(step, frozenset(), observe).forward(self.layout, inputs, arrays)

    def train(
        self,
        variables: Variables,
        inputs: jax.Array,
        hyperparameters: Hyperparameters,
        noise: StepNoise,
        observe: Observe | None = None,
    ) -> NetworkOutputs:
        """Return the outputs in a training step, with the averages it has moved.

        Batches are normalised by their own statistics, except by frozen layers. The parameters are
        those of `predict`.
        """
        labels = {layer.label for layer in self.layout.layers if isinstance(layer, BatchNorm)}
        runs = _Runs(noise.step, frozenset(labels - set(self.frozen)), observe)
        arrays = _Arrays(variables, hyperparameters, noise.keys)
        return runs.forward(self.layout, inputs, arrays)


class LaneLayers(nn.Module):
    """Some successive layers of one lane's network.

    Attributes
    ----------
    layers
        The structure of the layers; their numeric hyperparameters are passed with the call.
    """

    layers: tuple[Layer, ...]

    @nn.compact
    def __call__(
        self, inputs: jax.Array, hyperparameters: Hyperparameters, forward_pass: ForwardPass
    ) -> jax.Array:
        """Return the last layer's output for inputs [batch, units]."""
        values = inputs
        for layer in self.layers:
            values = forward(layer, values, hyperparameters[layer.label], forward_pass)
            forward_pass.outputs[layer.label] = values
        return values


class _Arrays(NamedTuple):
    """The variables, hyperparameters and noise keys of some layers, in a network's layout."""

    variables: Variables
    hyperparameters: Hyperparameters
    keys: Mapping[str, jax.Array]

    def of(self, layers: Sequence[Layer]) -> _Arrays:
        """Return the arrays of some of the layers."""
        labels = {layer.label for layer in layers}
        variables = {
            collection: {label: arrays[label] for label in arrays if label in labels}
            for collection, arrays in self.variables.items()
        }
        keys = {name: key for name, key in self.keys.items() if name.split("/")[0] in labels}
        return _Arrays(
            variables, {layer.label: self.hyperparameters[layer.label] for layer in layers}, keys
        )


@dataclass(frozen=True)
class _Runs:
    """One pass through the runs of a network.

    Attributes
    ----------
    step
        The step of the noise; without one there is no noise.
    batch_statistics
        The labels of the batch normalisations that use their batch's mean and variance.
    observe
        Measures every layer's output.
    """

    step: jax.Array | None
    batch_statistics: frozenset[str]
    observe: Observe | None

    def forward(self, layout: NetworkLayout, inputs: jax.Array, arrays: _Arrays) -> NetworkOutputs:
        """Return a network's outputs for inputs [batch, features]."""
        values, outputs = inputs, {INPUT: inputs}
        observed: dict[str, Any] = {}
        averages = dict(arrays.variables.get(AVERAGES, {}))
        for run in layout.runs:
            run_forward = self._repeated if run.repeated else self._once
            values, (run_observed, run_averages) = run_forward(
                run, outputs, values, arrays.of(run.block)
            )
            outputs[run.blocks[-1][-1].label] = values
            observed |= run_observed
            averages |= run_averages
        return NetworkOutputs(values, observed, averages)

    def _once(
        self, run: LayerRun, outputs: dict[str, jax.Array], inputs: jax.Array, arrays: _Arrays
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        """Return the output of a block, its measurements, and the averages it has moved.

        Parameters
        ----------
        run
            The run that has the block.
        outputs
            The outputs of the layers below, by label; those of the block are added.
        inputs
            The input of the block, [batch, units].
        arrays
            The arrays of the block.
        """
        noise = _drawn_noise(run.block, arrays.keys, self.step, *inputs.shape)
        forward_pass = ForwardPass(inputs.dtype, noise, self.batch_statistics, outputs)
        values, changed = LaneLayers(run.block).apply(
            arrays.variables, inputs, arrays.hyperparameters, forward_pass, mutable=[AVERAGES]
        )
        averages = changed.get(AVERAGES, {})
        moved = {label: averages[label] for label in averages if label in self.batch_statistics}
        if self.observe is None:
            return values, ({}, moved)
        labels = [layer.label for layer in run.block]
        return values, ({label: self.observe(outputs[label]) for label in labels}, moved)

    def _repeated(
        self, run: LayerRun, outputs: dict[str, jax.Array], inputs: jax.Array, arrays: _Arrays
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        """Return the results of `_once` for a repeated run, as a loop: one block is compiled."""
        del outputs  # a block refers only to itself and to its input

        def block(values: jax.Array, arrays: _Arrays) -> tuple[jax.Array, tuple[Tree, Tree]]:
            return self._once(run, {run.below: values}, values, arrays)

        return jax.lax.scan(block, inputs, arrays, len(run.blocks))


def _drawn_noise(
    layers: Collection[Layer],
    keys: Mapping[str, jax.Array],
    step: jax.Array | None,
    batch: int,
    fan_in: int,
) -> dict[str, Words]:
    """Return every noise of successive layers that has a key, by label."""
    counts = {}
    for layer in layers:
        needed = normal_blocks if isinstance(layer, GaussianNoise) else blocks
        for label, elements in layer.noises(batch, fan_in).items():
            if label in keys:
                counts[label] = needed(elements)
        fan_in = layer.width(fan_in)
    return {} if step is None else words(keys, step, counts)
