"""Activations by name: the functions between the layers, and the three kinds of output.

Only their definitions live here; each backend computes them with its own library. At the kink
the derivative is that of the negative branch, on every backend.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from manyseeds.technique import Technique, by_name


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


class Elu(_Activation):
    """z if z > 0, else alpha (exp(z) - 1); derivative alpha at 0."""

    source: ClassVar[str] = "Clevert, Unterthiner and Hochreiter 2016, Eq. 11-2"
    name: Literal["elu"] = "elu"
    alpha: float = Field(default=1.0, ge=0)


SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


class Selu(_Activation):
    """scale * (z if z > 0, else alpha (exp(z) - 1)) with the fixed point's constants.

    The derivative at 0 is scale * alpha. The constants are `SELU_SCALE` and `SELU_ALPHA`.
    """

    source: ClassVar[str] = "Klambauer et al. 2017"
    name: Literal["selu"] = "selu"


Activation = Annotated[
    Annotated[
        Linear | Logistic | Softmax | Tanh | Relu | LeakyRelu | Elu | Selu,
        Field(discriminator="name"),
    ],
    BeforeValidator(by_name),
]
