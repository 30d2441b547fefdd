"""The short form of a network: `hidden = [300, 100]`, and the keys that go with it.

`hidden = [300, [100, 99]]` means a layer of 300 units and 99 layers of 100. The other keys:

    activation, initialiser, bias, penalty, max_norm, drop_connect   of every hidden layer
    first      layers below the first hidden layer
    before     layers between the linear part of each hidden layer and its activation
    after      layers after each hidden layer's activation
    last       layers below the output only
    skip       the number of hidden layers, of equal width, that each skip connection goes around

With `skip` the first hidden layer is the stem; the skip connections start above it. With the
initialiser "fixup" the branches are initialised by its rules: the last layer of each branch starts
at zero, the others are scaled down, and a learned number scales each branch (rule 3; its scalar
biases are part of the layers' own biases). The stem is he_normal, the output zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Table = dict[str, Any]

_LAYER_KEYS = ("initialiser", "bias", "penalty", "max_norm", "drop_connect")


def dense_stack(units: Sequence[Any], table: Table) -> list[Any]:
    """Return the hidden layers that a short form describes, and remove its keys from the table.

    Parameters
    ----------
    units
        The value of `hidden`.
    table
        The network's table; keys of the short form are removed from it.

    Examples
    --------
    >>> table = {"activation": "relu", "name": "small"}
    >>> dense_stack([3], table)
    [{'name': 'dense', 'label': 'hidden1', 'units': 3, 'activation': 'relu'}]
    >>> table
    {'name': 'small'}
    """
    units = [width for entry in units for width in _repeated(entry)]
    branch_length = table.pop("skip", None)
    shared = {key: table.pop(key) for key in _LAYER_KEYS if key in table}
    activation = table.pop("activation", None)
    before, after = table.pop("before", []), table.pop("after", [])
    layers: list[Any] = list(table.pop("first", []))
    last = table.pop("last", [])
    for number, width in enumerate(units):
        branch = _branch(number, len(units), branch_length)
        dense = {"name": "dense", "label": f"hidden{number + 1}", "units": width, **shared}
        if branch and _is_fixup(shared):
            dense["initialiser"] = branch.initialiser()
        if before:
            layers += [dense, *before]
            layers += [{"name": "activation", "function": activation}] if activation else []
        else:
            layers.append(dense | ({"activation": activation} if activation else {}))
        layers += after
        if branch_length and number == 0:
            layers[-1] = _labelled(layers[-1], "stem")
        if branch and branch.ends:
            layers += ["scale"] if _is_fixup(shared) else []
            layers.append({"name": "skip", "label": branch.label, "of": branch.of})
    return [*layers, *last]


def _repeated(entry: Any) -> list[Any]:
    """Return the widths that an entry stands for: [100, 99] means 99 times 100."""
    if isinstance(entry, list | tuple) and len(entry) == 2 and isinstance(entry[1], int):
        return [entry[0]] * entry[1]
    return [entry]


@dataclass(frozen=True)
class _Branch:
    """The place of a hidden layer in the branches that skip connections go around.

    The stem, which is below all branches, has no place, and neither have the topmost layers if they
    are too few for another branch.

    Attributes
    ----------
    number
        Number of the branch, from 0.
    position, length
        Place of the layer in its branch, from 0, and number of layers in a branch.
    branches
        Number of branches in the network.
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


def _branch(number: int, layers: int, length: int | None) -> _Branch | None:
    """Return the place of hidden layer `number`, from 0, of `layers`; None outside branches."""
    if not length or not number:
        return None
    branches = (layers - 1) // length
    branch, position = divmod(number - 1, length)
    return _Branch(branch, position, length, branches) if branch < branches else None


def _is_fixup(shared: Table) -> bool:
    return shared.get("initialiser") == "fixup"


def _labelled(layer: Any, label: str) -> Table:
    return {**(layer if isinstance(layer, dict) else {"name": layer}), "label": label}
