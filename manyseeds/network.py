"""A network: a named stack of layers, with the shapes of its weights.

Weights are a mapping from "layer/variable" to an array whose first axis is the lane:
{"hidden1/kernel": [lanes, fan_in, fan_out], "hidden1/bias": [lanes, fan_out], ...}, in the
order of the layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from manyseeds.activations import Activation, Linear
from manyseeds.initialisers import GlorotUniform, Initialiser
from manyseeds.model import Model
from manyseeds.noise import HALVES
from manyseeds.technique import Technique

Weights = Mapping[str, NDArray[np.floating[Any]]]
Loss = Literal["sparse_cross_entropy", "binary_cross_entropy", "mean_squared_error"]


class _Layer(Technique):
    kind: ClassVar[str] = "layer"
    label: str = ""


class Dense(_Layer):
    """activation(x W + b), W of shape [fan_in, units]."""

    source: ClassVar[str] = "Géron 2019, Eq. 10-2"
    name: Literal["dense"] = "dense"
    units: int = Field(ge=1)
    activation: Activation = Linear()
    initialiser: Initialiser = GlorotUniform()
    bias: bool = True


class Dropout(_Layer):
    """Inverted dropout: in training each input is kept with probability 1 - rate, then / keep.

    Which elements are kept comes from the shared `dropout` stream, see `manyseeds.noise`.
    """

    source: ClassVar[str] = "Srivastava et al. 2014; Géron 2019, ch. 11"
    name: Literal["dropout"] = "dropout"
    rate: float = Field(ge=0, le=1 - 1 / HALVES)


Layer = Annotated[Dense | Dropout, Field(discriminator="name")]

_LOSS_OF_OUTPUT: dict[str, Loss] = {
    "softmax": "sparse_cross_entropy",
    "logistic": "binary_cross_entropy",
    "linear": "mean_squared_error",
}


class Network(Model):
    """A stack of layers; the last is the dense output layer, labelled `output`.

    Dense layers without a label are called hidden1, hidden2, …, dropout layers dropout1, ….

    Attributes
    ----------
    name
        Keys the network's first weights in the `init` stream: two networks of one name and
        shape start equal, two of different names start independently.
    layers
        From the input to the output.
    """

    name: str
    layers: tuple[Layer, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _label(cls, value: Any) -> Any:
        """Give every unlabelled layer its label."""
        if not isinstance(value, dict) or not isinstance(value.get("layers"), list | tuple):
            return value
        return value | {"layers": tuple(_labelled(list(value["layers"])))}

    @model_validator(mode="after")
    def _check(self) -> Network:
        labels = [layer.label for layer in self.layers]
        if len(set(labels)) < len(labels):
            raise ValueError(f"two layers share a label: {', '.join(labels)}")
        output = self.layers[-1]
        if not isinstance(output, Dense) or output.activation.name not in _LOSS_OF_OUTPUT:
            outputs = ", ".join(sorted(_LOSS_OF_OUTPUT))
            raise ValueError(f"the last layer must be dense with an activation of {outputs}")
        if any(dense.activation.name == "softmax" for dense in self.dense()[:-1]):
            raise ValueError("softmax is for the output layer only")
        return self

    @property
    def output(self) -> Dense:
        """The last layer."""
        return self.dense()[-1]

    @property
    def loss(self) -> Loss:
        """The loss that goes with the output's activation; computed from the logits."""
        return _LOSS_OF_OUTPUT[self.output.activation.name]

    def dense(self) -> tuple[Dense, ...]:
        """Return the dense layers, in order, the output last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    def dropouts(self) -> tuple[Dropout, ...]:
        """Return the dropout layers, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dropout))

    def hidden_labels(self) -> tuple[str, ...]:
        """Return the labels of the dense layers below the output, from the input upwards."""
        return tuple(layer.label for layer in self.dense()[:-1])

    def structure(self) -> tuple[Any, ...]:
        """Return what a compiled program depends on: all but the numeric hyperparameters."""
        return tuple(
            (layer.label, layer.units, layer.activation.structure(), layer.bias)
            if isinstance(layer, Dense)
            else (layer.label, layer.structure())
            for layer in self.layers
        )

    def shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of one lane's weights by "layer/variable", in layer order."""
        shapes: dict[str, tuple[int, ...]] = {}
        fan_in = features
        for layer in self.dense():
            shapes[f"{layer.label}/kernel"] = (fan_in, layer.units)
            if layer.bias:
                shapes[f"{layer.label}/bias"] = (layer.units,)
            fan_in = layer.units
        return shapes

    def widths(self, features: int) -> dict[str, int]:
        """Return the number of units that leave each layer, by label."""
        widths: dict[str, int] = {}
        width = features
        for layer in self.layers:
            width = layer.units if isinstance(layer, Dense) else width
            widths[layer.label] = width
        return widths


def _labelled(layers: list[Any]) -> list[Any]:
    """Return the layers with labels; what is no table is left for validation to refuse."""
    counts = {"dense": 0, "dropout": 0}
    prefix = {"dense": "hidden", "dropout": "dropout"}
    labelled: list[Any] = []
    for index, layer in enumerate(layers):
        fields = dict(layer) if isinstance(layer, Technique) else layer
        if not isinstance(fields, dict) or fields.get("name") not in counts:
            labelled.append(layer)
            continue
        name = fields["name"]
        counts[name] += 1
        last = index == len(layers) - 1
        default = "output" if last and name == "dense" else f"{prefix[name]}{counts[name]}"
        labelled.append(fields | {"label": fields.get("label") or default})
    return labelled
