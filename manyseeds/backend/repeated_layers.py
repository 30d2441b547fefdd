"""Runs of equal layers in a deep network, whose body a compiled program needs only once.

A network of a thousand equal layers, unrolled, takes minutes to compile; as a loop over stacked
weights it takes as long as a single layer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from manyseeds.techniques.layers import Layer, Skip
from manyseeds.techniques.network import INPUT, Network

FEWEST = 8
"""Number of repetitions from which a loop pays off."""
LONGEST = 64
"""Number of layers in the longest block that is looked for."""


@dataclass(frozen=True)
class LayerRun:
    """Consecutive layers: a block of layers and its repetitions.

    Attributes
    ----------
    blocks
        The block's repetitions, in order; one if it is not repeated. All have the same structure
        and the same frozen layers, as many units leave a block as enter it, and no block reads a
        layer outside itself but the one right below it.
    below
        The label of the layer right below the run, or "input".
    """

    blocks: tuple[tuple[Layer, ...], ...]
    below: str

    @property
    def repeated(self) -> bool:
        """Whether there is more than one block."""
        return len(self.blocks) > 1

    @property
    def block(self) -> tuple[Layer, ...]:
        """The first block, which stands for all of them."""
        return self.blocks[0]

    def labels(self, layer: Layer) -> tuple[str, ...]:
        """Return the labels, in all blocks, of the layer at the place of `layer` in the first."""
        place = self.block.index(layer)
        return tuple(block[place].label for block in self.blocks)


def layer_runs(
    network: Network, features: int, frozen: Collection[str] = ()
) -> tuple[LayerRun, ...]:
    """Cut the layers below the output into runs, from the input upwards.

    Parameters
    ----------
    network, features
        A network and the number of its input features.
    frozen
        Labels of layers that a program treats differently from the others.
    """
    stack = _Stack.of(network, features, frozen)
    labels = [INPUT, *(layer.label for layer in stack.layers)]
    runs: list[LayerRun] = []
    start = 0
    while start < len(stack.layers):
        length, times = stack.repetition(start)
        end = start + length * times
        blocks = tuple(stack.layers[at : at + length] for at in range(start, end, length))
        before = runs[-1] if runs else None
        if times == 1 and before and not before.repeated:
            runs[-1] = LayerRun(((*before.block, *blocks[0]),), before.below)
        else:
            runs.append(LayerRun(blocks, labels[start]))
        start = end
    return tuple(runs)


@dataclass(frozen=True)
class _Stack:
    """The layers below the output, with the facts about each that decide about repetitions.

    Attributes
    ----------
    kinds
        A number for each layer, equal for layers that may be repetitions of each other.
    widths
        Units that enter each layer, and those that leave the last.
    reach
        For a skip connection, the number of layers it goes around, itself included: 1 if it adds
        its own input; 0 for other layers.
    last_reader
        The last layer that reads the inputs of each layer, besides that layer itself.
    """

    layers: tuple[Layer, ...]
    kinds: tuple[int, ...]
    widths: tuple[int, ...]
    reach: tuple[int, ...]
    last_reader: tuple[int, ...]

    @classmethod
    def of(cls, network: Network, features: int, frozen: Collection[str]) -> _Stack:
        layers = network.layers[:-1]
        entering = {INPUT: 0} | {layer.label: at + 1 for at, layer in enumerate(layers)}
        widths, reach, last_reader = [features], [0] * len(layers), [0] * (len(layers) + 1)
        numbers: dict[Any, int] = {}
        kinds: list[int] = []
        for at, layer in enumerate(layers):
            widths.append(layer.width(widths[-1]))
            if isinstance(layer, Skip):
                reach[at] = at + 1 - entering[layer.of]
                last_reader[entering[layer.of]] = at
            own = tuple(pair for pair in layer.structure() if pair[0] not in {"label", "of"})
            kind = (own, widths[-2], widths[-1], reach[at], layer.label in frozen)
            kinds.append(numbers.setdefault(kind, len(numbers)))
        return cls(layers, tuple(kinds), tuple(widths), tuple(reach), tuple(last_reader))

    def repetition(self, start: int) -> tuple[int, int]:
        """Return length and repetitions of the block at `start` that covers the most layers."""
        best = (1, 1)
        for length in range(1, min(LONGEST, (len(self.layers) - start) // FEWEST) + 1):
            if self._is_closed(start, length):
                times = self._times(start, length)
                if times >= FEWEST and length * times > best[0] * best[1]:
                    best = (length, times)
        return best

    def _is_closed(self, start: int, length: int) -> bool:
        """Return whether a block keeps its number of units and reads no layer outside itself."""
        return self.widths[start] == self.widths[start + length] and all(
            self.reach[start + place] <= place + 1 for place in range(length)
        )

    def _times(self, start: int, length: int) -> int:
        """Return the block's repetitions, as far as no layer above reads one from inside."""
        block, end = self.kinds[start : start + length], start + length
        while self.kinds[end : end + length] == block:
            end += length
        while end > start and any(last >= end for last in self.last_reader[start + 1 : end]):
            end -= length
        return (end - start) // length
