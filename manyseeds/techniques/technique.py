"""What makes a class a technique.

A technique is a frozen model with a `name`, the keyword it has in a suite; its fields are its
hyperparameters. Where it has none to set, the bare name will do: `activation = "relu"` is
`activation = {name = "relu"}`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from manyseeds.model import Model

Kind = str


class Technique(Model):
    """One named thing of the chapter.

    Subclasses give `name` as a `Literal` with a default, so that a suite's keyword selects the
    class, and state their `source` (paper or equation).
    """

    kind: ClassVar[Kind]
    source: ClassVar[str]
    name: str

    def hyperparameters(self) -> dict[str, float]:
        """Return the real numbers by name: what a backend passes as run-time arguments."""
        return {key: value for key, value in self if isinstance(value, float)}

    def structure(self) -> tuple[Any, ...]:
        """Return what a compiled program depends on: all but real numbers, all the way down."""
        return tuple(
            (key, value.structure() if isinstance(value, Technique) else value)
            for key, value in self
            if not isinstance(value, float)
        )


def by_name(value: Any) -> Any:
    """Turn a bare technique name into the table it stands for."""
    return {"name": value} if isinstance(value, str) else value
