"""A network forwards and backwards: its layers one after the other, and the skips between them."""

from __future__ import annotations

from dataclasses import dataclass

from manyseeds.techniques.activations import Linear
from manyseeds.techniques.layers import Layer, Skip
from manyseeds.techniques.network import INPUT, Network
from manyseeds_numpy.arrays import Array, Weights
from manyseeds_numpy.layers import Back, Mode
from manyseeds_numpy.layers import forward as layer_forward


@dataclass(frozen=True)
class Forward:
    """What a network made of its inputs.

    Attributes
    ----------
    outputs
        What left each layer, by label, [lanes, batch, units]; the output layer's are the logits.
    backs
        The ways back of a gradient, by label; skips have none.
    moved
        Moving averages as a training step leaves them.
    """

    outputs: dict[str, Array]
    backs: dict[str, Back]
    moved: Weights

    @property
    def logits(self) -> Array:
        """What left the last layer."""
        return next(reversed(self.outputs.values()))


def forward(network: Network, weights: Weights, inputs: Array, mode: Mode) -> Forward:
    """Pass inputs [lanes, batch, features] up a network.

    They may have one lane for all, where they see the same.
    """
    outputs, backs = {INPUT: inputs}, {}
    moved: Weights = {}
    values = inputs
    for layer in _stack(network):
        if isinstance(layer, Skip):
            values = values + outputs[layer.of]
        else:
            passed = layer_forward(layer, values, _own(weights, layer), mode)
            values, backs[layer.label] = passed.values, passed.back
            moved |= {f"{layer.label}/{name}": each for name, each in passed.moved.items()}
        outputs[layer.label] = values
    return Forward(outputs, backs, moved)


def backward(network: Network, passed: Forward, gradient: Array) -> Weights:
    """Return the gradient of every variable that can be trained, from that of the logits."""
    found: Weights = {}
    owed: dict[str, Array] = {}  # to what skips have added, by label
    for layer in reversed(network.layers):
        gradient = gradient + owed.pop(layer.label, 0)
        if isinstance(layer, Skip):
            owed[layer.of] = gradient + owed.get(layer.of, 0)
        else:
            gradient, own = passed.backs[layer.label](gradient)
            found |= {f"{layer.label}/{name}": each for name, each in own.items()}
    return found


def _stack(network: Network) -> tuple[Layer, ...]:
    """Return the layers, the output without its activation: losses start from the logits."""
    return (*network.layers[:-1], network.output.model_copy(update={"activation": Linear()}))


def _own(weights: Weights, layer: Layer) -> Weights:
    """Return a layer's variables by their own names."""
    return {name: weights[f"{layer.label}/{name}"] for name in layer.variables(1)}
