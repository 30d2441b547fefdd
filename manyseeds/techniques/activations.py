"""Activations: the functions between the layers, and those of the three kinds of output.

Only their definitions are here; each backend computes them with its own library. At a kink the
derivative is that of the negative branch, on every backend.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from manyseeds.techniques.technique import Technique, by_name


class _Activation(Technique):
    kind: ClassVar[str] = "activation"


class Linear(_Activation):
    """The identity: the output of a regression network."""

    source: ClassVar[str] = "Géron 2019, ch. 10"
    name: Literal["linear"] = "linear"


class Logistic(_Activation):
    """1 / (1 + exp(-z)); as an output, the probability of class 1."""

    source: ClassVar[str] = "Géron 2019, Eq. 4-14"
    name: Literal["logistic"] = "logistic"


class Softmax(_Activation):
    """exp(z_k) / sum_j exp(z_j), the probabilities of the classes; outputs only."""

    source: ClassVar[str] = "Géron 2019, Eq. 4-20"
    name: Literal["softmax"] = "softmax"


class Tanh(_Activation):
    """Hyperbolic tangent."""

    source: ClassVar[str] = "Géron 2019, ch. 10"
    name: Literal["tanh"] = "tanh"


class Relu(_Activation):
    """max(0, z); derivative 0 at 0."""

    source: ClassVar[str] = "Glorot, Bordes and Bengio 2011"
    name: Literal["relu"] = "relu"


class LeakyRelu(_Activation):
    """z if z > 0, else alpha z; derivative alpha at 0."""

    source: ClassVar[str] = "Maas, Hannun and Ng 2013; Xu et al. 2015"
    name: Literal["leaky_relu"] = "leaky_relu"
    alpha: float = Field(default=0.01, ge=0)


class RRelu(_Activation):
    """z if z > 0, else a z; in training a is drawn from [lower, upper] for each element.

    In evaluation a is the mean of the two bounds. The bounds are slopes, as in PyTorch, not the
    divisors of Xu et al. The slope of element e is lower + (upper - lower) (h + 1/2) / 65536, where
    h is half e of the layer's noise (`manyseeds.randomness.noise`); the derivative at 0 is the
    slope.
    """

    source: ClassVar[str] = "Xu et al. 2015"
    name: Literal["rrelu"] = "rrelu"
    lower: float = Field(default=1 / 8, ge=0)
    upper: float = Field(default=1 / 3, ge=0)

    @model_validator(mode="after")
    def _check(self) -> RRelu:
        if self.lower > self.upper:
            raise ValueError(f"lower ({self.lower:g}) is above upper ({self.upper:g})")
        return self


class PRelu(_Activation):
    """z if z > 0, else a z; each unit learns its slope a, from 0; derivative a at 0.

    Its layer has the variable "slope", [units].
    """

    source: ClassVar[str] = "He et al. 2015"
    name: Literal["prelu"] = "prelu"


class Elu(_Activation):
    """z if z > 0, else alpha (exp(z) - 1); derivative alpha at 0."""

    source: ClassVar[str] = "Clevert, Unterthiner and Hochreiter 2016, Eq. 11-2"
    name: Literal["elu"] = "elu"
    alpha: float = Field(default=1.0, ge=0)


SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


class Selu(_Activation):
    """scale * (z if z > 0, else alpha (exp(z) - 1)), with the constants of the fixed point.

    The constants are `SELU_SCALE` and `SELU_ALPHA`; the derivative at 0 is scale * alpha.
    """

    source: ClassVar[str] = "Klambauer et al. 2017"
    name: Literal["selu"] = "selu"


class Softplus(_Activation):
    """log(1 + exp(z))."""

    source: ClassVar[str] = "Dugas et al. 2001; Géron 2019, ch. 10"
    name: Literal["softplus"] = "softplus"


Activation = Annotated[
    Annotated[
        Linear
        | Logistic
        | Softmax
        | Tanh
        | Relu
        | LeakyRelu
        | RRelu
        | PRelu
        | Elu
        | Selu
        | Softplus,
        Field(discriminator="name"),
    ],
    BeforeValidator(by_name),
]
