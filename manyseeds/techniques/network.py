"""A network: a named stack of layers, with the shapes of its weights.

Weights are a mapping from "layer/variable" to an array whose first axis is the lane:
{"hidden1/kernel": [lanes, fan_in, fan_out], "hidden1/bias": [lanes, fan_out], ...}, in the
order of the layers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from manyseeds.errors import RequestError
from manyseeds.model import Model
from manyseeds.techniques.activations import Activation
from manyseeds.techniques.layers import PREFIXES, ActivationLayer, Dense, Layer, Skip, Variable
from manyseeds.techniques.technique import Technique, by_name

INPUT = "input"
"""What a skip connection calls the network's input."""

Weights = Mapping[str, NDArray[np.floating[Any]]]
Loss = Literal["sparse_cross_entropy", "binary_cross_entropy", "mean_squared_error"]


_LOSS_OF_OUTPUT: dict[str, Loss] = {
    "softmax": "sparse_cross_entropy",
    "logistic": "binary_cross_entropy",
    "linear": "mean_squared_error",
}


class Network(Model):
    """A stack of layers; the last is the dense output layer, labelled `output`.

    Layers without a label are called hidden1, hidden2, …, batch_norm1, … (`layers.PREFIXES`).

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
        if stray := [label for label in labels if "/" in label or label == INPUT]:
            raise ValueError(f"{stray[0]!r} is no label for a layer: no / in it, and not 'input'")
        for number, layer in enumerate(self.layers):
            if isinstance(layer, Skip) and layer.of not in (INPUT, *labels[:number]):
                raise ValueError(
                    f"layer {layer.label!r} adds what left {layer.of!r}, which is no layer below it"
                )
        output = self.layers[-1]
        if not isinstance(output, Dense) or output.activation.name not in _LOSS_OF_OUTPUT:
            outputs = ", ".join(sorted(_LOSS_OF_OUTPUT))
            raise ValueError(f"the last layer must be dense with an activation of {outputs}")
        if "softmax" in {function.name for function in self._hidden_functions()}:
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

    def _hidden_functions(self) -> tuple[Activation, ...]:
        """Return the activations below the output's."""
        dense = tuple(layer.activation for layer in self.dense()[:-1])
        return dense + tuple(
            layer.function for layer in self.layers if isinstance(layer, ActivationLayer)
        )

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the layers that have variables, from the input upwards."""
        return tuple(layer.label for layer in self.layers if layer.variables(1))

    def hidden_labels(self) -> tuple[str, ...]:
        """Return the labels of the dense layers below the output, from the input upwards."""
        return tuple(layer.label for layer in self.dense()[:-1])

    def structure(self) -> tuple[Any, ...]:
        """Return what a compiled program depends on: all but the numeric hyperparameters."""
        return tuple(layer.structure() for layer in self.layers)

    def variables(self, features: int) -> dict[str, Variable]:
        """Return the variables of one lane by "layer/variable", in layer order."""
        found: dict[str, Variable] = {}
        fan_in = features
        for layer in self.layers:
            for name, variable in layer.variables(fan_in).items():
                found[f"{layer.label}/{name}"] = variable
            fan_in = layer.width(fan_in)
        return found

    def check_skips(self, features: int) -> None:
        """Refuse skip connections between layers of different widths.

        Raises
        ------
        RequestError
            Which two, and their widths.
        """
        widths = {INPUT: features} | self.widths(features)
        below = features
        for layer in self.layers:
            if isinstance(layer, Skip) and widths[layer.of] != below:
                raise RequestError(
                    f"network {self.name!r}: layer {layer.label!r} adds the {widths[layer.of]} "
                    f"units of {layer.of!r} to {below}; a skip connection needs as many"
                )
            below = widths[layer.label]

    def shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of one lane's weights by "layer/variable", in layer order."""
        return {name: variable.shape for name, variable in self.variables(features).items()}

    def trained(self, frozen: Collection[str] = ()) -> tuple[str, ...]:
        """Return the names of the variables with a gradient where these layers are frozen."""
        return tuple(
            f"{layer.label}/{name}"
            for layer in self.layers
            for name, variable in layer.variables(1).items()
            if variable.trained and layer.label not in frozen
        )

    def noises(self, batch: int, features: int) -> dict[str, int]:
        """Return how many elements every noise of a training step has, by its label."""
        found: dict[str, int] = {}
        fan_in = features
        for layer in self.layers:
            found |= layer.noises(batch, fan_in)
            fan_in = layer.width(fan_in)
        return found

    def widths(self, features: int) -> dict[str, int]:
        """Return the number of units that leave each layer, by label."""
        widths: dict[str, int] = {}
        width = features
        for layer in self.layers:
            width = layer.width(width)
            widths[layer.label] = width
        return widths


def _labelled(layers: list[Any]) -> list[Any]:
    """Return the layers with labels; what is no table is left for validation to refuse."""
    counts = dict.fromkeys(PREFIXES, 0)
    labelled: list[Any] = []
    for index, layer in enumerate(layers):
        fields = dict(layer) if isinstance(layer, Technique) else by_name(layer)
        if not isinstance(fields, dict) or fields.get("name") not in counts:
            labelled.append(layer)
            continue
        name = fields["name"]
        counts[name] += 1
        last = index == len(layers) - 1
        default = "output" if last and name == "dense" else f"{PREFIXES[name]}{counts[name]}"
        labelled.append(fields | {"label": fields.get("label") or default})
    return labelled
