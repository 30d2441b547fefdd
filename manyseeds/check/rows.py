"""Names of the gate's rows, LAYER/BACKEND/SUBJECT, and patterns that match them.

Such names are built, parsed and matched only here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, get_args

Layer = Literal["numerics", "accuracy", "time"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
"""Cheapest first."""


@dataclass(frozen=True)
class Row:
    """The name of one row: a subject on a backend, in a layer.

    Attributes
    ----------
    subject
        A recipe of the parity kit, "SUITE/RECIPE" or "SUITE/RECIPE/CASE", or the name of a timed
        workload. A finding's subject may end with a metric: "SUITE/RECIPE/METRIC".

    Examples
    --------
    >>> str(Row("time", "jax", "adam step"))
    'time/jax/adam step'
    >>> Row.parse("accuracy/jax/gate/adam").subject
    'gate/adam'
    """

    layer: Layer
    backend: str
    subject: str

    @classmethod
    def parse(cls, text: str) -> Row:
        """Return the row of a name.

        Raises
        ------
        ValueError
            The name does not have three parts, or its layer is unknown.
        """
        layer, *rest = text.split("/", 2)
        if layer not in LAYERS:
            raise ValueError(f"{text!r} names an unknown layer")
        if len(rest) != 2:
            raise ValueError(f"{text!r} is not LAYER/BACKEND/SUBJECT")
        return cls(layer, *rest)

    def __str__(self) -> str:
        return f"{self.layer}/{self.backend}/{self.subject}"

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the subject: in the accuracy layer suite, recipe, and perhaps more."""
        return tuple(self.subject.split("/"))

    def part(self, name: str) -> Row:
        """Return the row of one part of the subject: of a metric, say."""
        return replace(self, subject=f"{self.subject}/{name}")


@dataclass(frozen=True)
class RowPattern:
    """A row's name, or a pattern of names with `*`, `?` and `[…]`.

    A name matches itself, whatever is in it:

    >>> row = Row("time", "jax", "matrix product [64, 64]")
    >>> RowPattern(str(row)).matches(row)
    True
    """

    text: str

    def matches(self, row: Row) -> bool:
        """Return whether the pattern matches a row's whole name."""
        return str(row) == self.text or fnmatchcase(str(row), self.text)

    def may_match(self, layer: Layer, backend: str) -> bool:
        """Return whether the pattern could match any row of a backend in a layer."""
        start = f"{layer}/{backend}/"
        literal = re.split(r"[*?[]", self.text, maxsplit=1)[0]
        return literal.startswith(start) or start.startswith(literal)
