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

from dataclasses import dataclass
from typing import Any

from manyseeds.errors import quoted
from manyseeds.model.limits import MOST_LAYERS
from manyseeds.suite.plain_values import is_whole

Table = dict[str, Any]

_LAYER_KEYS = ("initialiser", "bias", "penalty", "max_norm", "drop_connect")


def dense_stack(hidden: Any, table: Table) -> list[Any]:
    """Return the hidden layers that a short form describes, and remove its keys from the table.

    Parameters
    ----------
    hidden
        The value of the key `hidden`.
    table
        The network's table; keys of the short form are removed from it.

    Raises
    ------
    ShortFormError
        The value of a key is not one it can have.

    Examples
    --------
    >>> table = {"activation": "relu", "name": "small"}
    >>> dense_stack([3], table)
    [{'name': 'dense', 'label': 'hidden1', 'units': 3, 'activation': 'relu'}]
    >>> table
    {'name': 'small'}
    """
    units = _widths(hidden)
    branch_length = _branch_length(table.pop("skip", None), len(units))
    shared = {key: table.pop(key) for key in _LAYER_KEYS if key in table}
    activated = {key: table.pop(key) for key in ("activation",) if key in table}
    layers, before, after, last = (
        _layers(key, table.pop(key, [])) for key in ("first", "before", "after", "last")
    )
    for number, width in enumerate(units):
        branch = _branch(number, len(units), branch_length)
        dense = {"name": "dense", "label": f"hidden{number + 1}", "units": width, **shared}
        if branch and _is_fixup(shared):
            dense["initialiser"] = branch.initialiser()
        if before:
            layers += [dense, *before]
            layers += [{"name": "activation", "function": f} for f in activated.values()]
        else:
            layers.append(dense | activated)
        layers += after
        if branch_length and number == 0:
            layers[-1] = _labelled(layers[-1], "stem")
        if branch and branch.ends:
            layers += ["scale"] if _is_fixup(shared) else []
            layers.append({"name": "skip", "label": branch.label, "of": branch.of})
    return [*layers, *last]


class ShortFormError(ValueError):
    """The value of a key of the short form is not one it can have."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


def _widths(hidden: Any) -> list[Any]:
    """Return the number of units of each hidden layer: [100, 99] stands for 99 times 100."""
    if not isinstance(hidden, list):
        raise ShortFormError("hidden", "expected a list of numbers of units")
    widths: list[Any] = []
    for entry in hidden:
        width, count = entry if isinstance(entry, list) and len(entry) == 2 else (entry, 1)
        if not (is_whole(width) and is_whole(count) and width >= 1 and count >= 1):
            raise ShortFormError(
                "hidden",
                "expected numbers of units, or [UNITS, LAYERS] for several equal layers, such as "
                f"[300, [100, 2]], not {quoted(entry)}",
            )
        if len(widths) + count > MOST_LAYERS:
            raise ShortFormError("hidden", f"a network has at most {MOST_LAYERS:,} layers")
        widths += [width] * count
    return widths


def _branch_length(skip: Any, layers: int) -> int | None:
    """Return the number of layers in each branch; None without skip connections."""
    if skip is None or (is_whole(skip) and 1 <= skip < layers):
        return skip
    raise ShortFormError(
        "skip",
        "expected the number of hidden layers that a skip connection goes around, from 1 to "
        f"{layers - 1}, not {quoted(skip)}"
        if layers > 1
        else "there are no hidden layers above the first for a skip connection to go around",
    )


def _layers(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ShortFormError(key, f"expected a list of layers, not {quoted(value)}")
    return list(value)


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
    return shared.get("initialiser") in ("fixup", {"name": "fixup"})


def _labelled(layer: Any, label: str) -> Table:
    return {**(layer if isinstance(layer, dict) else {"name": layer}), "label": label}
