"""Optimizers: one canonical equation each, the same on every backend.

Notation: theta parameters, g gradient, eta rate, t the number of the step, from 1. The rate
belongs to the phase and its schedule, not to the optimizer.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from manyseeds.techniques.technique import Technique, by_name


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

    As in Keras, the weights stored and scored are the look-ahead point phi = theta + beta m:
    m <- beta m - eta g(phi); phi <- phi + beta m - eta g(phi).
    """

    source: ClassVar[str] = "Nesterov 1983; Géron 2019, Eq. 11-5"
    name: Literal["nesterov"] = "nesterov"
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Adam(_Optimizer):
    """m <- b1 m + (1-b1) g; s <- b2 s + (1-b2) g^2; theta <- theta - eta m^ / (sqrt(s^) + eps).

    m^ = m / (1 - b1^t), s^ = s / (1 - b2^t): epsilon is added outside the root, after the bias
    correction.
    """

    source: ClassVar[str] = "Kingma and Ba 2015, Algorithm 1; Géron 2019, Eq. 11-8"
    name: Literal["adam"] = "adam"
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-7, gt=0)


class Adagrad(_Optimizer):
    """s <- s + g^2, from `accumulator`; theta <- theta - eta g / sqrt(s + eps)."""

    source: ClassVar[str] = "Duchi, Hazan and Singer 2011; Géron 2019, Eq. 11-6"
    name: Literal["adagrad"] = "adagrad"
    accumulator: float = Field(default=0.1, ge=0)
    epsilon: float = Field(default=1e-7, gt=0)


class Rmsprop(_Optimizer):
    """s <- rho s + (1-rho) g^2; theta <- theta - eta g / sqrt(s + eps)."""

    source: ClassVar[str] = "Tieleman and Hinton 2012; Géron 2019, Eq. 11-7"
    name: Literal["rmsprop"] = "rmsprop"
    rho: float = Field(default=0.9, ge=0, lt=1)
    epsilon: float = Field(default=1e-7, gt=0)


class Adamax(_Optimizer):
    """m as in Adam; u <- max(b2 u, |g|); theta <- theta - eta m / ((1 - b1^t) (u + eps))."""

    source: ClassVar[str] = "Kingma and Ba 2015, Algorithm 2; Géron 2019, ch. 11"
    name: Literal["adamax"] = "adamax"
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-7, gt=0)


class _ScheduledNadam(_Optimizer):
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-7, gt=0)


class Nadam(_ScheduledNadam):
    """Adam with Nesterov's momentum, which grows towards b1.

    mu_t = b1 (1 - 0.96^(decay t) / 2), M_t = mu_1 mu_2 ... mu_t; m and s as in Adam;
    m^ = mu_(t+1) m / (1 - M_t mu_(t+1)) + (1 - mu_t) g / (1 - M_t); s^ = s / (1 - b2^t);
    theta <- theta - eta m^ / (sqrt(s^) + eps).
    """

    source: ClassVar[str] = "Dozat 2016; Keras before 3; PyTorch"
    name: Literal["nadam"] = "nadam"
    decay: float = Field(default=0.004, ge=0)


class NadamKeras3(_ScheduledNadam):
    """The Nadam of Keras 3: as `nadam`, with decay 1, so that mu_t is b1 after a few steps."""

    source: ClassVar[str] = "Keras 3, keras.optimizers.Nadam"
    name: Literal["nadam_keras3"] = "nadam_keras3"
    decay: float = Field(default=1.0, ge=0)


class Ftrl(_Optimizer):
    """Follow the regularised leader, for each weight, as in Keras; l1 makes weights exactly 0.

    n' = n + g^2, from `accumulator`; z <- z + g - (sqrt(n') - sqrt(n)) theta / eta, from 0;
    theta <- (clip(z, -l1, l1) - z) / (sqrt(n') / eta + 2 l2); n <- n'.
    """

    source: ClassVar[str] = "McMahan et al. 2013, Algorithm 1; Géron 2019, ch. 11"
    name: Literal["ftrl"] = "ftrl"
    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    accumulator: float = Field(default=0.1, gt=0)


Optimizer = Annotated[
    Annotated[
        Sgd | Momentum | Nesterov | Adagrad | Rmsprop | Adam | Adamax | Nadam | NadamKeras3 | Ftrl,
        Field(discriminator="name"),
    ],
    BeforeValidator(by_name),
]
