"""The short form of a network: `hidden = [300, 100]`, and what each of the dense layers gets.

`hidden = [300, [100, 99]]` is a layer of 300 units and 99 of 100. Beside it:

    activation, initialiser, bias, penalty, max_norm, drop_connect   of every hidden layer
    first      layers below the first hidden layer
    before     layers between the linear part of each hidden layer and its activation
    after      layers after each hidden layer's activation
    last       layers below the output only
    skip       a skip connection around every so many hidden layers, of equal width

With `skip` the first hidden layer is the stem; the skip connections start above it. With the
initialiser "fixup" the branches are initialised by its rules: the last layer of each starts at
zero, the others are scaled down, and a learned number scales each branch (rule 3; the scalar biases
it has beside are part of the layers' own biases). Stem and output are he_normal, and zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Table = dict[str, Any]

_OF_LAYERS = ("initialiser", "bias", "penalty", "max_norm", "drop_connect")


def dense_stack(units: Sequence[Any], table: Table) -> list[Any]:
    """Return the hidden layers of a short form; what is used is taken out of the table."""
    units = [width for entry in units for width in _repeated(entry)]
    every = table.pop("skip", None)
    shared = {key: table.pop(key) for key in _OF_LAYERS if key in table}
    activation = table.pop("activation", None)
    before, after = table.pop("before", []), table.pop("after", [])
    layers: list[Any] = list(table.pop("first", []))
    last = table.pop("last", [])
    for number, width in enumerate(units):
        branch = _branch(number, len(units), every)
        dense = {"name": "dense", "label": f"hidden{number + 1}", "units": width, **shared}
        if branch and _is_fixup(shared):
            dense["initialiser"] = branch.initialiser()
        if before:
            layers += [dense, *before]
            layers += [{"name": "activation", "function": activation}] if activation else []
        else:
            layers.append(dense | ({"activation": activation} if activation else {}))
        layers += after
        if every and number == 0:
            layers[-1] = _called(layers[-1], "stem")
        if branch and branch.ends:
            layers += ["scale"] if _is_fixup(shared) else []
            layers.append({"name": "skip", "label": branch.label, "of": branch.of})
    return [*layers, *last]


def _repeated(entry: Any) -> list[Any]:
    """Return the widths of an entry: [100, 99] is 99 times 100."""
    if isinstance(entry, list | tuple) and len(entry) == 2 and isinstance(entry[1], int):
        return [entry[0]] * entry[1]
    return [entry]


@dataclass(frozen=True)
class _Branch:
    """Where a hidden layer stands in the branches that skip connections go around.

    The first hidden layer is the stem, below all branches; layers too few for a branch at the top
    have none.
    """

    number: int
    position: int
    length: int
    branches: int

    @property
    def ends(self) -> bool:
        return self.position == self.length - 1

    @property
    def label(self) -> str:
        return f"skip{self.number + 1}"

    @property
    def of(self) -> str:
        return f"skip{self.number}" if self.number else "stem"

    def initialiser(self) -> Table:
        return {
            "name": "fixup",
            "branches": self.branches,
            "layers": self.length,
            "last": self.ends,
        }


def _branch(number: int, layers: int, every: int | None) -> _Branch | None:
    if not every or not number:
        return None
    branches = (layers - 1) // every
    branch, position = divmod(number - 1, every)
    return _Branch(branch, position, every, branches) if branch < branches else None


def _is_fixup(shared: Table) -> bool:
    return shared.get("initialiser") == "fixup"


def _called(layer: Any, label: str) -> Table:
    return {**(layer if isinstance(layer, dict) else {"name": layer}), "label": label}
