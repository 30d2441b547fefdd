"""Regularisation of weights: penalties, constraints, drop connect, pruning.

Dropout is a layer (`techniques.layers`), early stopping has a module of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from manyseeds.randomness.noise import HALVES
from manyseeds.techniques.technique import Technique, by_name

Kernel = NDArray[np.floating[Any]]


class _Regularisation(Technique):
    kind: ClassVar[str] = "regularisation"


class L1(_Regularisation):
    """l1 * sum |w| over a kernel is added to the training loss; the derivative of |w| at 0 is 0."""

    source: ClassVar[str] = "Tibshirani 1996; Géron 2019, ch. 11"
    name: Literal["l1"] = "l1"
    l1: float = Field(default=0.01, ge=0)


class L2(_Regularisation):
    """l2 * sum w^2 over a kernel (without a factor 1/2) is added to the training loss."""

    source: ClassVar[str] = "Hoerl and Kennard 1970; Géron 2019, ch. 11"
    name: Literal["l2"] = "l2"
    l2: float = Field(default=0.01, ge=0)


class L1L2(_Regularisation):
    """l1 * sum |w| + l2 * sum w^2 over a kernel is added to the training loss."""

    source: ClassVar[str] = "Zou and Hastie 2005; Géron 2019, ch. 11"
    name: Literal["l1_l2"] = "l1_l2"
    l1: float = Field(default=0.01, ge=0)
    l2: float = Field(default=0.01, ge=0)


Penalty = Annotated[
    Annotated[L1 | L2 | L1L2, Field(discriminator="name")], BeforeValidator(by_name)
]


class MaxNorm(_Regularisation):
    """After each step the incoming weights w of each unit become w min(1, radius / ||w||).

    The incoming weights of a unit are a column of the kernel [fan_in, units], not a row. Frozen
    layers stay as they are.
    """

    source: ClassVar[str] = "Srebro and Shraibman 2005; Srivastava et al. 2014; Géron 2019, ch. 11"
    name: Literal["max_norm"] = "max_norm"
    radius: float = Field(default=1.0, gt=0)


Constraint = Annotated[MaxNorm, BeforeValidator(by_name)]


class DropConnect(_Regularisation):
    """In training each weight of a kernel is dropped with probability `rate`, the rest scaled up.

    The factor of the rest is 1 / (1 - rate). Each lane and step has one mask for the whole batch:
    element e of the kernel [fan_in, units], counted row by row, uses half e of the noise
    "LABEL/kernel" (`manyseeds.randomness.noise`). Biases are not dropped.
    """

    source: ClassVar[str] = "Wan et al. 2013, with one mask per batch"
    name: Literal["drop_connect"] = "drop_connect"
    rate: float = Field(default=0.5, ge=0, le=1 - 1 / HALVES)


Dropping = Annotated[DropConnect, BeforeValidator(by_name)]


class _Pruning(Technique):
    kind: ClassVar[str] = "pruning"

    @abstractmethod
    def keep_mask(self, kernel: Kernel) -> NDArray[np.bool_]:
        """Return the mask of the weights that stay, for a kernel [lanes, fan_in, units].

        Every lane is pruned on its own.
        """


class Threshold(_Pruning):
    """After the phase, weights w with |w| < `least` become zero."""

    source: ClassVar[str] = "Géron 2019, ch. 11, faster models with sparse weights"
    name: Literal["threshold"] = "threshold"
    least: float = Field(gt=0)

    def keep_mask(self, kernel: Kernel) -> NDArray[np.bool_]:
        """Return the mask of the weights of at least the threshold, [lanes, fan_in, units]."""
        return np.abs(kernel) >= self.least


class MagnitudePruning(_Pruning):
    """After the phase, the smallest `share` of the weights of each kernel become zero.

    Among weights of equal size, those that come first, row by row, are pruned first. Iterative
    pruning is a recipe with several such phases, the later ones with `keep_zeros`.
    """

    source: ClassVar[str] = "Han et al. 2015; Géron 2019, ch. 11"
    name: Literal["magnitude_pruning"] = "magnitude_pruning"
    share: float = Field(ge=0, lt=1)

    def keep_mask(self, kernel: Kernel) -> NDArray[np.bool_]:
        """Return the mask of the weights not among the smallest, [lanes, fan_in, units]."""
        size = np.abs(kernel).reshape(len(kernel), -1)
        rank = np.argsort(np.argsort(size, axis=1, kind="stable"), axis=1, kind="stable")
        return (rank >= round(self.share * size.shape[1])).reshape(kernel.shape)


Pruning = Annotated[
    Annotated[Threshold | MagnitudePruning, Field(discriminator="name")], BeforeValidator(by_name)
]
