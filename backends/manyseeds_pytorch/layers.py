"""The layers of `techniques.layers` over stacked values and variables: the first axis is the lane.

A layer holds its hyperparameters; its variables come with every call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from manyseeds.randomness.noise import SELU_FLOOR, alpha_affine, keep_scale, threshold
from manyseeds.techniques import layers as definition
from manyseeds_pytorch.activations import Activate, activation
from manyseeds_pytorch.affine import DropConnect, affine
from manyseeds_pytorch.batch_norm import BatchNorm
from manyseeds_pytorch.noise import Noise, as_numbers
from manyseeds_pytorch.run import Run, Variables, received

Layer = Callable[[Tensor, Variables, Run], Tensor]
"""Inputs [lanes, batch, fan_in], the layer's variables and the run -> outputs."""


def layer_of(  # noqa: PLR0911  (one for each kind)
    wanted: definition.Layer, frozen: Collection[str]
) -> Layer:
    """Return a layer, every hyperparameter spelled out; `frozen` are labels."""
    match wanted:
        case definition.Dense():
            return Dense(activation(wanted.activation, wanted.label), _drop_connect(wanted))
        case definition.ActivationLayer():
            return activation(wanted.function, wanted.label)
        case definition.BatchNorm():
            return BatchNorm(wanted.momentum, wanted.epsilon, wanted.label in frozen)
        case definition.Dropout():
            return Dropout(wanted.label, wanted.rate)
        case definition.AlphaDropout():
            return AlphaDropout(wanted.label, wanted.rate)
        case definition.GaussianNoise():
            return GaussianNoise(wanted.label, wanted.sd)
        case definition.Skip():
            return Skip(wanted.of)
        case definition.Scale():
            return scale


def _drop_connect(wanted: definition.Dense) -> DropConnect | None:
    if wanted.drop_connect is None:
        return None
    rate = wanted.drop_connect.rate
    return DropConnect(f"{wanted.label}/kernel", threshold(rate), keep_scale(rate))


@dataclass(frozen=True)
class Dense:
    """activation(x W + b)."""

    activation: Activate
    drop_connect: DropConnect | None

    def __call__(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return the outputs [lanes, batch, units]."""
        partly = run.training and self.drop_connect
        product = partly.affine if partly else affine
        return self.activation(product(inputs, variables, run), variables, run)


@dataclass(frozen=True)
class Dropout:
    """x times a mask of 0 and 1 / P(kept)."""

    label: str
    rate: float

    def __call__(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return the outputs, shaped as the inputs."""
        if not run.dropping:
            return inputs
        kept = _kept(run.noise[self.label], run, inputs, self.rate)
        # The type first: booleans times a number are float32, whatever the number.
        return inputs * as_numbers(kept, torch.empty_like(inputs)).mul_(keep_scale(self.rate))


@dataclass(frozen=True)
class AlphaDropout:
    """a x + b where x is kept, a m + b where not: `functional.alpha_dropout` draws for itself."""

    label: str
    rate: float

    def __call__(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return the outputs, shaped as the inputs."""
        if not run.dropping:
            return inputs
        a, b = alpha_affine(self.rate)
        kept = _kept(run.noise[self.label], run, inputs, self.rate)
        stays = as_numbers(kept, torch.empty_like(inputs))
        constants = stays.mul(-a * SELU_FLOOR).add_(a * SELU_FLOOR + b)
        return torch.addcmul(constants, inputs, stays, value=a)


def _kept(noise: Noise, run: Run, inputs: Tensor, rate: float) -> Tensor:
    """Return which inputs [lanes, batch, units] stay."""
    return noise.kept(run.step, inputs[0].numel(), threshold(rate)).view(inputs.shape)


@dataclass(frozen=True)
class GaussianNoise:
    """x + sd z in training."""

    label: str
    sd: float

    def __call__(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return the outputs, shaped as the inputs."""
        if not run.training:
            return inputs
        normals = run.noise[self.label].normals(run.step, inputs[0].numel())
        return torch.add(inputs, normals.view(inputs.shape), alpha=self.sd)


@dataclass(frozen=True)
class Skip:
    """x + what left the layer `of`."""

    of: str

    def __call__(self, inputs: Tensor, variables: Variables, run: Run) -> Tensor:
        """Return the sum."""
        return inputs + run.seen[self.of]


def scale(inputs: Tensor, variables: Variables, run: Run) -> Tensor:
    """Return x times the multiplier, [lanes, 1, 1]."""
    return inputs * received(variables["multiplier"], run)
