"""The table of known deviations: where a backend differs, by how much, and why."""

from __future__ import annotations

from importlib.resources import files

from pydantic import Field

from manyseeds.conformance.comparison import Check
from manyseeds.model import Model
from manyseeds.model.toml_text import parse_toml


class Deviation(Model):
    """A technique that is not the same on a backend.

    Attributes
    ----------
    technique, backend, check
        The cell of the matrix.
    size
        The largest error seen.
    reason, tried
        The cause, and the attempts to remove it.
    """

    technique: str
    backend: str
    check: Check
    size: float = Field(gt=0)
    reason: str
    tried: str


def deviations() -> tuple[Deviation, ...]:
    """Return the rows of `deviations.toml`."""
    text = (files("manyseeds.conformance") / "deviations.toml").read_text(encoding="utf-8")
    return tuple(Deviation(**row) for row in parse_toml(text).get("deviations", []))
