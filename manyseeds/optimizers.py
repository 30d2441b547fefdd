"""Optimizers by name: one canonical equation each, the same on every backend.

Notation: theta parameters, g gradient, eta rate, t the number of the step, from 1. The rate
belongs to the phase and its schedule, not to the optimizer.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from manyseeds.technique import Technique, by_name


class _Optimizer(Technique):
    kind: ClassVar[str] = "optimizer"


class Sgd(_Optimizer):
    """theta <- theta - eta g."""

    source: ClassVar[str] = "Géron 2019, Eq. 4-7"
    name: Literal["sgd"] = "sgd"


class Momentum(_Optimizer):
    """m <- beta m - eta g; theta <- theta + m: the velocity holds the rate."""

    source: ClassVar[str] = "Polyak 1964; Géron 2019, Eq. 11-4"
    name: Literal["momentum"] = "momentum"
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Nesterov(_Optimizer):
    """m <- beta m - eta grad(theta + beta m); theta <- theta + m.

    What is stored and evaluated is the look-ahead point phi = theta + beta m, so that
    m <- beta m - eta g(phi); phi <- phi + beta m - eta g(phi), as Keras does.
    """

    source: ClassVar[str] = "Nesterov 1983; Géron 2019, Eq. 11-5"
    name: Literal["nesterov"] = "nesterov"
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Adam(_Optimizer):
    """m <- b1 m + (1-b1) g; s <- b2 s + (1-b2) g^2; theta <- theta - eta m^ / (sqrt(s^) + eps).

    m^ = m / (1 - b1^t), s^ = s / (1 - b2^t): epsilon outside the root, after bias correction.
    """

    source: ClassVar[str] = "Kingma and Ba 2015, Algorithm 1; Géron 2019, Eq. 11-8"
    name: Literal["adam"] = "adam"
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-7, gt=0)


Optimizer = Annotated[
    Annotated[Sgd | Momentum | Nesterov | Adam, Field(discriminator="name")],
    BeforeValidator(by_name),
]
