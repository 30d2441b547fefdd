"""Runs of equal layers in a deep network: a compiled program needs the body of a run only once.

A network of a thousand equal layers, unrolled, takes minutes to compile; as a loop over stacked
weights it takes as long as one layer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from manyseeds.techniques.layers import Layer, Skip
from manyseeds.techniques.network import INPUT, Network

FEWEST = 8
"""Repetitions from which on a loop is worth it."""
LONGEST = 64
"""Layers of the longest block looked for."""


@dataclass(frozen=True)
class LayerRun:
    """Layers in a row: a block of them, which comes once or many times.

    Attributes
    ----------
    blocks
        The repetitions, in order. All have the same structure, are equally frozen, take and leave
        equally many units, and refer to no layer outside themselves but the one right below them.
    below
        The label of that layer, or "input".
    """

    blocks: tuple[tuple[Layer, ...], ...]
    below: str

    @property
    def repeated(self) -> bool:
        """Whether there is more than one block."""
        return len(self.blocks) > 1

    @property
    def block(self) -> tuple[Layer, ...]:
        """The first block, which stands for all."""
        return self.blocks[0]

    def labels(self, layer: Layer) -> tuple[str, ...]:
        """Return the labels of a layer of the first block in all blocks."""
        place = self.block.index(layer)
        return tuple(block[place].label for block in self.blocks)


def layer_runs(
    network: Network, features: int, frozen: Collection[str] = ()
) -> tuple[LayerRun, ...]:
    """Cut the layers below the output into runs; from the input upwards.

    Parameters
    ----------
    network, features
        A network and its inputs' width.
    frozen
        Labels of layers that a program treats unlike the others.
    """
    stack = _Stack.of(network, features, frozen)
    labels = [INPUT, *(layer.label for layer in stack.layers)]
    found: list[LayerRun] = []
    start = 0
    while start < len(stack.layers):
        length, times = stack.repetition(start)
        end = start + length * times
        blocks = tuple(stack.layers[at : at + length] for at in range(start, end, length))
        before = found[-1] if found else None
        if times == 1 and before and not before.repeated:
            found[-1] = LayerRun(((*before.block, *blocks[0]),), before.below)
        else:
            found.append(LayerRun(blocks, labels[start]))
        start = end
    return tuple(found)


@dataclass(frozen=True)
class _Stack:
    """The layers below the output, and what is to be known of each to find repetitions.

    Attributes
    ----------
    signs
        Equal for layers that may be repetitions of each other.
    widths
        Units that enter each layer, and those that leave the last.
    back
        How many layers below a skip connection's end its start is: 1 for its own input.
    needed
        The last layer that reads what enters each layer, beside that layer itself.
    """

    layers: tuple[Layer, ...]
    signs: tuple[int, ...]
    widths: tuple[int, ...]
    back: tuple[int, ...]
    needed: tuple[int, ...]

    @classmethod
    def of(cls, network: Network, features: int, frozen: Collection[str]) -> _Stack:
        layers = network.layers[:-1]
        entering = {INPUT: 0} | {layer.label: at + 1 for at, layer in enumerate(layers)}
        widths, back, needed = [features], [0] * len(layers), [0] * (len(layers) + 1)
        known: dict[Any, int] = {}
        signs: list[int] = []
        for at, layer in enumerate(layers):
            widths.append(layer.width(widths[-1]))
            if isinstance(layer, Skip):
                back[at] = at + 1 - entering[layer.of]
                needed[entering[layer.of]] = at
            own = tuple(pair for pair in layer.structure() if pair[0] not in {"label", "of"})
            sign = (own, widths[-2], widths[-1], back[at], layer.label in frozen)
            signs.append(known.setdefault(sign, len(known)))
        return cls(layers, tuple(signs), tuple(widths), tuple(back), tuple(needed))

    def repetition(self, start: int) -> tuple[int, int]:
        """Return the length of the block that starts here and covers most, and its times."""
        best = (1, 1)
        for length in range(1, min(LONGEST, (len(self.layers) - start) // FEWEST) + 1):
            if self._closed(start, length):
                times = self._times(start, length)
                if times >= FEWEST and length * times > best[0] * best[1]:
                    best = (length, times)
        return best

    def _closed(self, start: int, length: int) -> bool:
        """Return whether a block leaves as many units as it takes, and reads itself alone."""
        return self.widths[start] == self.widths[start + length] and all(
            self.back[start + place] <= place + 1 for place in range(length)
        )

    def _times(self, start: int, length: int) -> int:
        """Return how often the block comes, as far as nothing above reads what is inside."""
        block, end = self.signs[start : start + length], start + length
        while self.signs[end : end + length] == block:
            end += length
        while end > start and any(last >= end for last in self.needed[start + 1 : end]):
            end -= length
        return (end - start) // length
