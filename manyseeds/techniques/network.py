"""A network: a named stack of layers, with the shapes of its weights.

Weights map "layer/variable" to an array whose first axis is the lane, in the order of the layers:
{"hidden1/kernel": [lanes, fan_in, fan_out], "hidden1/bias": [lanes, fan_out], ...}.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from manyseeds.errors import RequestError
from manyseeds.model import Model
from manyseeds.model.limits import MOST_LAYERS
from manyseeds.model.names import Name, check_distinct
from manyseeds.techniques.activations import Activation
from manyseeds.techniques.layers import PREFIXES, ActivationLayer, Dense, Layer, Skip, Variable
from manyseeds.techniques.technique import Technique, by_name

INPUT = "input"
"""The name of the network's input in a skip connection."""

Weights = Mapping[str, NDArray[np.floating[Any]]]
Loss = Literal["sparse_cross_entropy", "binary_cross_entropy", "mean_squared_error"]

_LOSS_OF_OUTPUT: dict[str, Loss] = {
    "softmax": "sparse_cross_entropy",
    "logistic": "binary_cross_entropy",
    "linear": "mean_squared_error",
}


class Network(Model):
    """A stack of layers; the last one is the dense output layer, labelled `output`.

    Unlabelled layers get the labels hidden1, hidden2, …, batch_norm1, … (`layers.PREFIXES`).

    Attributes
    ----------
    name
        Part of the address of the first weights in the `init` stream: networks of the same name
        and shape start equal, networks of different names start independently.
    layers
        The layers, from the input to the output.

    Examples
    --------
    >>> hidden = {"name": "dense", "units": 3, "activation": "relu"}
    >>> output = {"name": "dense", "units": 2, "activation": "softmax"}
    >>> network = Network(name="small", layers=(hidden, output))
    >>> network.shapes(features=4)["hidden1/kernel"]
    (4, 3)
    >>> network.loss
    'sparse_cross_entropy'
    """

    name: Name
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=MOST_LAYERS)

    @model_validator(mode="before")
    @classmethod
    def _label(cls, value: Any) -> Any:
        """Label the unlabelled layers."""
        if not isinstance(value, dict) or not isinstance(value.get("layers"), list | tuple):
            return value
        return value | {"layers": tuple(_labelled(list(value["layers"])))}

    @model_validator(mode="after")
    def _check(self) -> Network:
        labels = [layer.label for layer in self.layers]
        check_distinct("layers", labels)
        if INPUT in labels:
            raise ValueError(
                f"a layer cannot be labelled {INPUT!r}: skip connections mean the network's input"
            )
        for number, layer in enumerate(self.layers):
            if isinstance(layer, Skip) and layer.of not in (INPUT, *labels[:number]):
                raise ValueError(
                    f"layer {layer.label!r} adds the outputs of {layer.of!r}, which is not a layer "
                    "below it"
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
        """The output layer."""
        return self.dense()[-1]

    @property
    def loss(self) -> Loss:
        """The loss that the output's activation implies; it is computed from the logits."""
        return _LOSS_OF_OUTPUT[self.output.activation.name]

    @property
    def classifies(self) -> bool:
        """Whether the outputs are probabilities of classes, so that an accuracy can be scored."""
        return self.loss != "mean_squared_error"

    def dense(self) -> tuple[Dense, ...]:
        """Return the dense layers, in order, the output last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    def _hidden_functions(self) -> tuple[Activation, ...]:
        """Return the activations of all layers but the output."""
        dense = tuple(layer.activation for layer in self.dense()[:-1])
        return dense + tuple(
            layer.function for layer in self.layers if isinstance(layer, ActivationLayer)
        )

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the layers that have variables, in order."""
        return tuple(layer.label for layer in self.layers if layer.variables(1))

    def hidden_labels(self) -> tuple[str, ...]:
        """Return the labels of the dense layers below the output, in order."""
        return tuple(layer.label for layer in self.dense()[:-1])

    def activated_units(self) -> dict[str, int]:
        """Return how many units each activation below the output has, by its layer's label."""
        units_of, units = {}, 0
        for layer in self.layers[:-1]:
            if isinstance(layer, Dense):
                units = layer.units
            if isinstance(layer, ActivationLayer) or (
                isinstance(layer, Dense) and layer.activation.name != "linear"
            ):
                units_of[layer.label] = units
        return units_of

    def structure(self) -> tuple[Any, ...]:
        """Return everything a compiled program depends on: all but real-valued hyperparameters."""
        return tuple(layer.structure() for layer in self.layers)

    def variables(self, features: int) -> dict[str, Variable]:
        """Return the variables of one lane by "layer/variable", in layer order."""
        variables: dict[str, Variable] = {}
        fan_in = features
        for layer in self.layers:
            for name, variable in layer.variables(fan_in).items():
                variables[f"{layer.label}/{name}"] = variable
            fan_in = layer.width(fan_in)
        return variables

    def check_skips(self, features: int) -> None:
        """Refuse skip connections between layers of different widths.

        Raises
        ------
        RequestError
            A skip connection adds a layer of another width; the message names both.
        """
        widths = {INPUT: features} | self.widths(features)
        below = features
        for layer in self.layers:
            if isinstance(layer, Skip) and widths[layer.of] != below:
                raise RequestError(
                    f"network {self.name!r}: layer {layer.label!r} adds the {widths[layer.of]} "
                    f"units of {layer.of!r} to {below} units; a skip connection needs equally many"
                )
            below = widths[layer.label]

    def shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of one lane's weights by "layer/variable", in layer order."""
        return {name: variable.shape for name, variable in self.variables(features).items()}

    def trained(self, frozen: Collection[str] = ()) -> tuple[str, ...]:
        """Return the names of the variables that have a gradient if these layers are frozen."""
        return tuple(
            f"{layer.label}/{name}"
            for layer in self.layers
            for name, variable in layer.variables(1).items()
            if variable.trained and layer.label not in frozen
        )

    def noises(self, batch: int, features: int) -> dict[str, int]:
        """Return the number of elements of every noise in a training step, by noise label."""
        elements: dict[str, int] = {}
        fan_in = features
        for layer in self.layers:
            elements |= layer.noises(batch, fan_in)
            fan_in = layer.width(fan_in)
        return elements

    def widths(self, features: int) -> dict[str, int]:
        """Return the number of units that leave each layer, by the layer's label."""
        widths: dict[str, int] = {}
        width = features
        for layer in self.layers:
            width = layer.width(width)
            widths[layer.label] = width
        return widths


def _labelled(layers: list[Any]) -> list[Any]:
    """Return the layers with labels; anything but a table is left for validation to refuse."""
    counts = dict.fromkeys(PREFIXES, 0)
    labelled: list[Any] = []
    for index, layer in enumerate(layers):
        fields = dict(layer) if isinstance(layer, Technique) else by_name(layer)
        name = fields.get("name") if isinstance(fields, dict) else None
        if not isinstance(name, str) or name not in counts:
            labelled.append(layer)
            continue
        counts[name] += 1
        last = index == len(layers) - 1
        default = "output" if last and name == "dense" else f"{PREFIXES[name]}{counts[name]}"
        unlabelled = fields.get("label", "") == ""
        labelled.append(fields | ({"label": default} if unlabelled else {}))
    return labelled
