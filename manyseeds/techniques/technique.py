"""The base class of all techniques.

A technique is a frozen model with a `name`, its keyword in a suite; its other fields are its
hyperparameters. If all of them keep their defaults, the bare name will do: `activation = "relu"`
means `activation = {name = "relu"}`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from manyseeds.model import Model

Kind = str


class Technique(Model):
    """One named method of the chapter: an activation, an optimizer, a schedule, ….

    A subclass declares `name` as a `Literal` with a default, so that the keyword in a suite selects
    the class, and states its `source`, a paper or an equation.
    """

    kind: ClassVar[Kind]
    source: ClassVar[str]
    name: str

    def hyperparameters(self) -> dict[str, float]:
        """Return the real-valued hyperparameters by name: run-time arguments of a program."""
        return {key: value for key, value in self if isinstance(value, float)}

    def structure(self) -> tuple[Any, ...]:
        """Return everything a compiled program depends on: all fields but real numbers, nested."""
        return tuple(
            (key, value.structure() if isinstance(value, Technique) else value)
            for key, value in self
            if not isinstance(value, float)
        )


def by_name(value: Any) -> Any:
    """Return the table that a bare technique name stands for, and any other value unchanged.

    >>> by_name("relu")
    {'name': 'relu'}
    """
    return {"name": value} if isinstance(value, str) else value
