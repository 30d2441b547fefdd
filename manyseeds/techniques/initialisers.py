"""Initialisers: the distribution of a kernel's first weights, drawn in NumPy.

Weights are drawn here in float64, lane by lane, and handed to the backend, so that all backends
start from the same. Biases start at zero.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from manyseeds.techniques.technique import Technique, by_name

TRUNCATED_SD = 0.87962566103423978
"""Standard deviation of a unit normal truncated at two standard deviations."""

Fan = Literal["fan_in", "fan_avg"]


class _Initialiser(Technique):
    kind: ClassVar[str] = "initialiser"

    @abstractmethod
    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Draw a kernel of `shape` [fan_in, fan_out]."""


class _VarianceScaling(_Initialiser):
    """Variance `scale / fan`; uniform, or normal truncated at two standard deviations."""

    scale: ClassVar[float]
    fan: ClassVar[Fan]
    uniform: ClassVar[bool]

    def variance(self, shape: tuple[int, int]) -> float:
        """Return the variance of the weights of a kernel of `shape` [fan_in, fan_out].

        >>> HeNormal().variance((300, 100)) == 2 / 300
        True
        """
        fan_in, fan_out = shape
        return self.scale / (fan_in if self.fan == "fan_in" else (fan_in + fan_out) / 2)

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Draw a kernel of `shape` [fan_in, fan_out]."""
        sd = float(np.sqrt(self.variance(shape)))
        if self.uniform:
            return generator.uniform(-np.sqrt(3) * sd, np.sqrt(3) * sd, shape)
        return truncated_normal(generator, shape) * (sd / TRUNCATED_SD)


def truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Draw unit normals, and again those beyond two standard deviations until none is left."""
    values = generator.standard_normal(shape)
    beyond = np.abs(values) > 2
    while beyond.any():
        values[beyond] = generator.standard_normal(int(beyond.sum()))
        beyond = np.abs(values) > 2
    return values


class GlorotUniform(_VarianceScaling):
    """Uniform, variance 1 / fan_avg."""

    source: ClassVar[str] = "Glorot and Bengio 2010; Géron 2019, Eq. 11-1"
    name: Literal["glorot_uniform"] = "glorot_uniform"
    scale, fan, uniform = 1.0, "fan_avg", True


class GlorotNormal(_VarianceScaling):
    """Truncated normal, variance 1 / fan_avg."""

    source: ClassVar[str] = "Glorot and Bengio 2010; Géron 2019, Eq. 11-1"
    name: Literal["glorot_normal"] = "glorot_normal"
    scale, fan, uniform = 1.0, "fan_avg", False


class HeUniform(_VarianceScaling):
    """Uniform, variance 2 / fan_in."""

    source: ClassVar[str] = "He et al. 2015"
    name: Literal["he_uniform"] = "he_uniform"
    scale, fan, uniform = 2.0, "fan_in", True


class HeNormal(_VarianceScaling):
    """Truncated normal, variance 2 / fan_in."""

    source: ClassVar[str] = "He et al. 2015"
    name: Literal["he_normal"] = "he_normal"
    scale, fan, uniform = 2.0, "fan_in", False


class HeAvgUniform(_VarianceScaling):
    """Uniform, variance 2 / fan_avg."""

    source: ClassVar[str] = "Géron 2019, ch. 11, VarianceScaling(2, fan_avg, uniform)"
    name: Literal["he_avg_uniform"] = "he_avg_uniform"
    scale, fan, uniform = 2.0, "fan_avg", True


class LecunUniform(_VarianceScaling):
    """Uniform, variance 1 / fan_in."""

    source: ClassVar[str] = "LeCun et al. 1998"
    name: Literal["lecun_uniform"] = "lecun_uniform"
    scale, fan, uniform = 1.0, "fan_in", True


class LecunNormal(_VarianceScaling):
    """Truncated normal, variance 1 / fan_in."""

    source: ClassVar[str] = "LeCun et al. 1998; Klambauer et al. 2017"
    name: Literal["lecun_normal"] = "lecun_normal"
    scale, fan, uniform = 1.0, "fan_in", False


class StandardNormal(_Initialiser):
    """Normal, not truncated, with standard deviation `sd`: 1, once usual, is a baseline."""

    source: ClassVar[str] = "Géron 2019, ch. 11"
    name: Literal["standard_normal"] = "standard_normal"
    sd: float = Field(default=1.0, gt=0)

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Draw a kernel of `shape` [fan_in, fan_out]."""
        return generator.standard_normal(shape) * self.sd


class Constant(_Initialiser):
    """All weights equal, so that symmetry is never broken."""

    source: ClassVar[str] = "Géron 2019, ch. 11, exercise 1"
    name: Literal["constant"] = "constant"
    value: float = 0.1

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Draw a kernel of `shape` [fan_in, fan_out]."""
        return np.full(shape, self.value)


class Fixup(_Initialiser):
    """he_normal, scaled down for residual branches without normalisation.

    he_normal times branches^(-1 / (2 layers - 2)) for a network of `branches` branches of `layers`
    layers each; zero in the last layer of a branch.
    """

    source: ClassVar[str] = "Zhang, Dauphin and Ma 2019, rules 1 and 2"
    name: Literal["fixup"] = "fixup"
    branches: int = Field(default=1, ge=1)
    layers: int = Field(default=2, ge=2)
    last: bool = False

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Draw a kernel of `shape` [fan_in, fan_out]."""
        scale = 0.0 if self.last else self.branches ** (-1 / (2 * self.layers - 2))
        return HeNormal().draw(generator, shape) * scale


Initialiser = Annotated[
    Annotated[
        GlorotUniform
        | GlorotNormal
        | HeUniform
        | HeNormal
        | HeAvgUniform
        | LecunUniform
        | LecunNormal
        | StandardNormal
        | Constant
        | Fixup,
        Field(discriminator="name"),
    ],
    BeforeValidator(by_name),
]
