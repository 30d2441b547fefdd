"""Layers by name: what a network is a stack of, with the variables and the noise of each.

A layer knows its own equation, variables and noise; how they are stacked is `techniques.network`.
Shapes are one lane's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from manyseeds.randomness.noise import HALVES
from manyseeds.techniques.activations import Activation, Linear, PRelu, RRelu
from manyseeds.techniques.initialisers import GlorotUniform, Initialiser
from manyseeds.techniques.regularisation import Constraint, Dropping, Penalty
from manyseeds.techniques.technique import Technique, by_name


@dataclass(frozen=True)
class Variable:
    """A variable of one lane's layer.

    Attributes
    ----------
    shape
        Of one lane's.
    first
        What it starts at; None for kernels, which an initialiser draws.
    trained
        Has a gradient. The others, moving averages, are moved by the layer itself in training.
    """

    shape: tuple[int, ...]
    first: float | None = 0.0
    trained: bool = True


class _Layer(Technique):
    kind: ClassVar[str] = "layer"
    stream: ClassVar[Literal["dropout", "augment"]] = "dropout"
    """Where the layer's noise comes from."""
    label: str = ""

    def width(self, fan_in: int) -> int:
        """Return how many units leave the layer."""
        return fan_in

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the layer's variables by their own names, in order."""
        del fan_in
        return {}

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return how many elements each of the layer's noises has in a step, by its label."""
        del batch, fan_in
        return {}


class Dense(_Layer):
    """activation(x W + b), W of shape [fan_in, units]: variables "kernel" and "bias"."""

    source: ClassVar[str] = "Géron 2019, Eq. 10-2"
    name: Literal["dense"] = "dense"
    units: int = Field(ge=1)
    activation: Activation = Linear()
    initialiser: Initialiser = GlorotUniform()
    bias: bool = True
    penalty: Penalty | None = None
    max_norm: Constraint | None = None
    drop_connect: Dropping | None = None

    def width(self, fan_in: int) -> int:
        """Return the units."""
        del fan_in
        return self.units

    def structure(self) -> tuple[Any, ...]:
        """Return what a compiled program depends on: not how the kernel is drawn."""
        return tuple(pair for pair in super().structure() if pair[0] != "initialiser")

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the kernel, the bias if there is one, and the slope of a prelu."""
        found = {"kernel": Variable((fan_in, self.units), first=None)}
        if self.bias:
            found["bias"] = Variable((self.units,))
        return found | _slopes(self.activation, self.units)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return those of drop connect ("LABEL/kernel") and of a rrelu (the layer's label)."""
        kernel = {f"{self.label}/kernel": fan_in * self.units} if self.drop_connect else {}
        return kernel | _slope_noise(self.label, self.activation, batch * self.units)


class ActivationLayer(_Layer):
    """An activation by itself, for batch normalisation between a dense layer and its activation."""

    source: ClassVar[str] = "Ioffe and Szegedy 2015; Géron 2019, ch. 11"
    name: Literal["activation"] = "activation"
    function: Activation

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the slope of a prelu."""
        return _slopes(self.function, fan_in)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return that of a rrelu."""
        return _slope_noise(self.label, self.function, batch * fan_in)


def _slopes(function: Activation, units: int) -> dict[str, Variable]:
    return {"slope": Variable((units,))} if isinstance(function, PRelu) else {}


def _slope_noise(label: str, function: Activation, elements: int) -> dict[str, int]:
    return {label: elements} if isinstance(function, RRelu) else {}


class BatchNorm(_Layer):
    """gamma (x - mu) / sqrt(v + epsilon) + beta, for each unit.

    In training mu and v are the batch's mean and biased variance, and the moving ones become
    momentum * theirs + (1 - momentum) * the batch's. In evaluation, and where the layer is frozen,
    mu and v are the moving ones, which then stay. Variables "gamma" (from 1), "beta" (0),
    "moving_mean" (0), "moving_variance" (1).
    """

    source: ClassVar[str] = "Ioffe and Szegedy 2015; Géron 2019, Eq. 11-3"
    name: Literal["batch_norm"] = "batch_norm"
    momentum: float = Field(default=0.99, ge=0, le=1)
    epsilon: float = Field(default=1e-3, gt=0)

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the four variables, [units] each."""
        units = (fan_in,)
        return {
            "gamma": Variable(units, first=1.0),
            "beta": Variable(units),
            "moving_mean": Variable(units, trained=False),
            "moving_variance": Variable(units, first=1.0, trained=False),
        }


class Dropout(_Layer):
    """Inverted dropout: in training each input is kept with probability 1 - rate, then / keep.

    Which elements are kept comes from the shared `dropout` stream, see `randomness.noise`.
    """

    source: ClassVar[str] = "Srivastava et al. 2014; Géron 2019, ch. 11"
    name: Literal["dropout"] = "dropout"
    rate: float = Field(ge=0, le=1 - 1 / HALVES)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return a half for every input."""
        return {self.label: batch * fan_in}


class AlphaDropout(_Layer):
    """Dropout that keeps mean and variance under selu: dropped inputs become -scale alpha.

    In training x becomes a x + b where it is kept, a m + b where not, m = `noise.SELU_FLOOR`;
    a and b: `noise.alpha_affine`. Elements and halves as for dropout.
    """

    source: ClassVar[str] = "Klambauer et al. 2017"
    name: Literal["alpha_dropout"] = "alpha_dropout"
    rate: float = Field(ge=0, le=1 - 1 / HALVES)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return a half for every input."""
        return {self.label: batch * fan_in}


class GaussianNoise(_Layer):
    """White noise: in training x + sd z, z unit normals (`manyseeds.randomness.noise.normals`)."""

    source: ClassVar[str] = "Sietsma and Dow 1991; Géron 2017, ch. 11"
    stream = "augment"
    name: Literal["gaussian_noise"] = "gaussian_noise"
    sd: float = Field(default=0.1, ge=0)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return a normal for every input."""
        return {self.label: batch * fan_in}


class Skip(_Layer):
    """x + what left layer `of`, or "input", the network's own input: a skip connection."""

    source: ClassVar[str] = "He et al. 2016"
    name: Literal["skip"] = "skip"
    of: str


class Scale(_Layer):
    """x times one learned number, the variable "multiplier", [1], from 1."""

    source: ClassVar[str] = "Zhang, Dauphin and Ma 2019 (Fixup), rule 3"
    name: Literal["scale"] = "scale"

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the multiplier."""
        del fan_in
        return {"multiplier": Variable((1,), first=1.0)}


Layer = Annotated[
    Annotated[
        Dense | ActivationLayer | BatchNorm | Dropout | AlphaDropout | GaussianNoise | Skip | Scale,
        Field(discriminator="name"),
    ],
    BeforeValidator(by_name),
]

PREFIXES = {
    "dense": "hidden",
    "activation": "activation",
    "batch_norm": "batch_norm",
    "dropout": "dropout",
    "alpha_dropout": "alpha_dropout",
    "gaussian_noise": "noise",
    "skip": "skip",
    "scale": "scale",
}
"""What layers without a label are called, with a number: hidden1, hidden2, dropout1, …"""
