"""The matrix: technique × backend × check, from the comparisons of all recipes."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from manyseeds.conformance.deviations import Deviation
from manyseeds.conformance.parity import CHECKS, TOLERANCE, Check, Comparison, compare
from manyseeds.conformance.trajectory import Trajectory
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import used
from manyseeds.techniques.registry import technique_name, techniques

State = Literal["exact", "deviates", "differs", "unsupported", "not followed"]
Followed = Mapping[str, Mapping[str, Trajectory]]
"""Trajectories by backend and by name of recipe; an unsupported recipe has none."""


@dataclass(frozen=True)
class Pair:
    """Two backends on one recipe."""

    recipe: str
    ours: str
    theirs: str
    found: Comparison
    allowed: bool

    @property
    def fine(self) -> bool:
        """Whether they are the same training, or differ by no more than the table allows."""
        return self.found.same or self.allowed


@dataclass(frozen=True)
class Cell:
    """A technique on a backend.

    Attributes
    ----------
    errors
        By check: the largest over the recipes that use the technique; of the pairs with the other
        backends the middle one, so that another backend's fault is not held against this one.
    reason
        Why it is unsupported, or deviates.
    """

    kind: str
    technique: str
    backend: str
    state: State
    errors: Mapping[Check, float]
    recipes: int
    reason: str = ""

    @property
    def error(self) -> float | None:
        """The largest of all checks."""
        return max(self.errors.values(), default=None)


def pairs(
    followed: Followed, recipes: Mapping[str, Recipe], known: Sequence[Deviation]
) -> Iterator[Pair]:
    """Yield the comparison of every pair of backends on every recipe both support."""
    for name, recipe in recipes.items():
        able = [backend for backend, trajectories in followed.items() if name in trajectories]
        for ours, theirs in itertools.combinations(able, 2):
            found = compare(followed[ours][name], followed[theirs][name])
            yield Pair(name, ours, theirs, found, allowed(found, recipe, (ours, theirs), known))


def allowed(
    found: Comparison, recipe: Recipe, backends: Collection[str], known: Sequence[Deviation]
) -> bool:
    """Return whether every check that fails is in the table with at least this size."""
    named = {name for _, name in used(recipe)} if known else set()
    sizes: dict[Check, float] = {}
    for row in known:
        if row.backend in backends and row.technique in named:
            sizes[row.check] = max(sizes.get(row.check, 0.0), row.size)
    return all(e <= max(TOLERANCE, sizes.get(check, 0.0)) for check, e in found.errors.items())


def cells(
    compared: Sequence[Pair],
    recipes: Mapping[str, Recipe],
    backends: Sequence[str],
    unsupported: Mapping[tuple[str, str], str],
    known: Sequence[Deviation],
) -> Iterator[Cell]:
    """Yield a cell for every technique there is, used by a recipe or not, on every backend.

    `unsupported` holds the reasons by backend and recipe.
    """
    usage = {name: used(recipe) for name, recipe in recipes.items()}
    for cls in techniques():
        key = (cls.kind, technique_name(cls))
        using = [name for name, keys in usage.items() if key in keys]
        for backend in backends:
            yield _cell(key, backend, using, compared, unsupported, known)


def _cell(
    key: tuple[str, str],
    backend: str,
    using: Sequence[str],
    compared: Sequence[Pair],
    unsupported: Mapping[tuple[str, str], str],
    known: Sequence[Deviation],
) -> Cell:
    kind, technique = key
    reasons = [unsupported[backend, name] for name in using if (backend, name) in unsupported]
    errors: dict[Check, float] = {}
    followed = 0
    for name in using:
        own = [p for p in compared if p.recipe == name and backend in (p.ours, p.theirs)]
        followed += bool(own)
        for check in CHECKS if own else ():
            middle = statistics.median_low([pair.found.errors[check] for pair in own])
            errors[check] = max(errors.get(check, 0.0), middle)
    listed = [row for row in known if (row.technique, row.backend) == (technique, backend)]
    sizes = {row.check: row.size for row in listed}
    state: State = "not followed"
    if reasons:
        state = "unsupported"
    elif errors and max(errors.values()) <= TOLERANCE:
        state = "exact"
    elif errors:
        within = all(e <= max(TOLERANCE, sizes.get(check, 0.0)) for check, e in errors.items())
        state = "deviates" if within else "differs"
    reason = "; ".join(reasons or [row.reason for row in listed])
    return Cell(kind, technique, backend, state, errors, followed, reason)
