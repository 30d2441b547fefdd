"""Layers: the parts of a network, with the variables and the noise of each.

A layer knows its own equation, variables and noise; `techniques.network` stacks them. All shapes
are those of one lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from manyseeds.model.limits import MOST_UNITS
from manyseeds.model.names import Name
from manyseeds.randomness.noise import HALVES
from manyseeds.techniques.activations import Activation, Linear, PRelu, RRelu
from manyseeds.techniques.initialisers import GlorotUniform, Initialiser
from manyseeds.techniques.regularisation import Constraint, Dropping, Penalty
from manyseeds.techniques.technique import Technique, by_name


@dataclass(frozen=True)
class Variable:
    """A variable of a layer, in one lane.

    Attributes
    ----------
    shape
        The shape in one lane.
    first
        The initial value; None for a kernel, which an initialiser draws.
    trained
        Whether the variable has a gradient. The others, moving averages, are updated by the layer
        itself in training.
    """

    shape: tuple[int, ...]
    first: float | None = 0.0
    trained: bool = True


class _Layer(Technique):
    kind: ClassVar[str] = "layer"
    stream: ClassVar[Literal["dropout", "augment"]] = "dropout"
    """The stream of the layer's noise."""
    label: Name = Field(default="", validate_default=False)

    def width(self, fan_in: int) -> int:
        """Return the number of units that leave the layer when `fan_in` enter it."""
        return fan_in

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the layer's variables by name, without the layer's label, in order."""
        del fan_in
        return {}

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return the number of elements of each noise of the layer in a step, by noise label."""
        del batch, fan_in
        return {}


class Dense(_Layer):
    """activation(x W + b); W, the variable "kernel", is [fan_in, units], b, "bias", [units]."""

    source: ClassVar[str] = "Géron 2019, Eq. 10-2"
    name: Literal["dense"] = "dense"
    units: int = Field(ge=1, le=MOST_UNITS)
    activation: Activation = Linear()
    initialiser: Initialiser = GlorotUniform()
    bias: bool = True
    penalty: Penalty | None = None
    max_norm: Constraint | None = None
    drop_connect: Dropping | None = None

    def width(self, fan_in: int) -> int:
        """Return `units`."""
        del fan_in
        return self.units

    def structure(self) -> tuple[Any, ...]:
        """Return everything a compiled program depends on; not how the kernel is drawn."""
        return tuple(pair for pair in super().structure() if pair[0] != "initialiser")

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the kernel, the bias if there is one, and the slope of a prelu."""
        variables = {"kernel": Variable((fan_in, self.units), first=None)}
        if self.bias:
            variables["bias"] = Variable((self.units,))
        return variables | _slope_variable(self.activation, self.units)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return the noise of drop connect ("LABEL/kernel") and that of a rrelu ("LABEL")."""
        kernel = {f"{self.label}/kernel": fan_in * self.units} if self.drop_connect else {}
        return kernel | _slope_noise(self.label, self.activation, batch * self.units)


class ActivationLayer(_Layer):
    """An activation on its own, as after batch normalisation of a linear dense layer."""

    source: ClassVar[str] = "Ioffe and Szegedy 2015; Géron 2019, ch. 11"
    name: Literal["activation"] = "activation"
    function: Activation

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return the slope of a prelu, and nothing for other activations."""
        return _slope_variable(self.function, fan_in)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return the noise of a rrelu, and none for other activations."""
        return _slope_noise(self.label, self.function, batch * fan_in)


def _slope_variable(function: Activation, units: int) -> dict[str, Variable]:
    return {"slope": Variable((units,))} if isinstance(function, PRelu) else {}


def _slope_noise(label: str, function: Activation, elements: int) -> dict[str, int]:
    return {label: elements} if isinstance(function, RRelu) else {}


class BatchNorm(_Layer):
    """gamma (x - mu) / sqrt(v + epsilon) + beta, for each unit.

    In training mu and v are the mean and the biased variance of the batch, and each moving average
    becomes momentum * itself + (1 - momentum) * the value of the batch. In evaluation, and while
    the layer is frozen, mu and v are the moving averages, which then stay. Variables and their
    initial values: "gamma" (1), "beta" (0), "moving_mean" (0), "moving_variance" (1).
    """

    source: ClassVar[str] = "Ioffe and Szegedy 2015; Géron 2019, Eq. 11-3"
    name: Literal["batch_norm"] = "batch_norm"
    momentum: float = Field(default=0.99, ge=0, le=1)
    epsilon: float = Field(default=1e-3, gt=0)

    def variables(self, fan_in: int) -> Mapping[str, Variable]:
        """Return gamma, beta and the two moving averages, [units] each."""
        units = (fan_in,)
        return {
            "gamma": Variable(units, first=1.0),
            "beta": Variable(units),
            "moving_mean": Variable(units, trained=False),
            "moving_variance": Variable(units, first=1.0, trained=False),
        }


class Dropout(_Layer):
    """In training each input is dropped with probability `rate`, the rest times 1 / (1 - rate).

    This is inverted dropout. The mask comes from the shared `dropout` stream
    (`manyseeds.randomness.noise.kept`).
    """

    source: ClassVar[str] = "Srivastava et al. 2014; Géron 2019, ch. 11"
    name: Literal["dropout"] = "dropout"
    rate: float = Field(ge=0, le=1 - 1 / HALVES)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return one half for each input."""
        return {self.label: batch * fan_in}


class AlphaDropout(_Layer):
    """Dropout that preserves mean and variance under selu: dropped inputs become -scale alpha.

    In training an input x becomes a x + b if it is kept and a m + b if it is dropped, where m is
    `noise.SELU_FLOOR`, and a and b come from `noise.alpha_affine`. The mask is drawn as for
    dropout.
    """

    source: ClassVar[str] = "Klambauer et al. 2017"
    name: Literal["alpha_dropout"] = "alpha_dropout"
    rate: float = Field(ge=0, le=1 - 1 / HALVES)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return one half for each input."""
        return {self.label: batch * fan_in}


class GaussianNoise(_Layer):
    """White noise: x + sd z in training, z unit normals (`manyseeds.randomness.noise.normals`)."""

    source: ClassVar[str] = "Sietsma and Dow 1991; Géron 2017, ch. 11"
    stream = "augment"
    name: Literal["gaussian_noise"] = "gaussian_noise"
    sd: float = Field(default=0.1, ge=0)

    def noises(self, batch: int, fan_in: int) -> Mapping[str, int]:
        """Return one normal for each input."""
        return {self.label: batch * fan_in}


class Skip(_Layer):
    """A skip connection: x plus the outputs of layer `of`, or of "input", the network's input."""

    source: ClassVar[str] = "He et al. 2016"
    name: Literal["skip"] = "skip"
    of: Name


class Scale(_Layer):
    """x times one learned number, the variable "multiplier", [1], initially 1."""

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
"""Labels of unlabelled layers, by their names; a number follows: hidden1, hidden2, dropout1, …"""
