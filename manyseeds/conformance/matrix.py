"""The matrix of parity: technique × backend × check, from the comparisons of all recipes."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from manyseeds.conformance.comparison import CHECKS, TOLERANCE, Check, TrajectoryComparison, compare
from manyseeds.conformance.deviations import Deviation
from manyseeds.conformance.trajectory import Trajectory
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import used
from manyseeds.techniques.registry import technique_name, techniques

CellState = Literal["exact", "deviates", "differs", "unsupported", "not followed"]
Followed = Mapping[str, Mapping[str, Trajectory]]
"""Trajectories by backend and recipe name; an unsupported recipe has none."""


@dataclass(frozen=True)
class BackendPair:
    """The comparison of two backends on one recipe.

    Attributes
    ----------
    allowed
        Whether the table of known deviations allows all errors beyond the tolerance.
    """

    recipe: str
    ours: str
    theirs: str
    comparison: TrajectoryComparison
    allowed: bool

    @property
    def fine(self) -> bool:
        """Whether they are the same training, or differ by no more than the table allows."""
        return self.comparison.same or self.allowed


@dataclass(frozen=True)
class MatrixCell:
    """A technique on a backend.

    Attributes
    ----------
    errors
        By check: the largest over the recipes that use the technique. For each recipe it is the
        median of the pairs with the other backends, so that a fault of another backend is not held
        against this one.
    reason
        Why the technique is unsupported, or deviates.
    """

    kind: str
    technique: str
    backend: str
    state: CellState
    errors: Mapping[Check, float]
    recipes: int
    reason: str = ""

    @property
    def error(self) -> float | None:
        """The largest error of all checks; None without any."""
        return max(self.errors.values(), default=None)


def pairs(
    followed: Followed, recipes: Mapping[str, Recipe], known: Sequence[Deviation]
) -> Iterator[BackendPair]:
    """Yield the comparison of every two backends on every recipe that both support."""
    for name, recipe in recipes.items():
        able = [backend for backend, trajectories in followed.items() if name in trajectories]
        for ours, theirs in itertools.combinations(able, 2):
            comparison = compare(followed[ours][name], followed[theirs][name])
            allowed = is_allowed(comparison, recipe, (ours, theirs), known)
            yield BackendPair(name, ours, theirs, comparison, allowed)


def is_allowed(
    comparison: TrajectoryComparison,
    recipe: Recipe,
    backends: Collection[str],
    known: Sequence[Deviation],
) -> bool:
    """Return whether the table of known deviations allows every error beyond the tolerance."""
    named = {name for _, name in used(recipe)} if known else set()
    sizes: dict[Check, float] = {}
    for row in known:
        if row.backend in backends and row.technique in named:
            sizes[row.check] = max(sizes.get(row.check, 0.0), row.size)
    return _within(comparison.errors, sizes)


def _within(errors: Mapping[Check, float], sizes: Mapping[Check, float]) -> bool:
    """Return whether every error is within the tolerance, or within its size in the table."""
    return all(error <= max(TOLERANCE, sizes.get(check, 0.0)) for check, error in errors.items())


def cells(
    compared: Sequence[BackendPair],
    recipes: Mapping[str, Recipe],
    backends: Sequence[str],
    unsupported: Mapping[tuple[str, str], str],
    known: Sequence[Deviation],
) -> Iterator[MatrixCell]:
    """Yield a cell for every technique there is, used by a recipe or not, on every backend.

    Parameters
    ----------
    compared
        The comparisons of all recipes.
    unsupported
        Reasons why a backend does not support a recipe, by backend and recipe.
    known
        The table of known deviations.
    """
    techniques_of = {name: used(recipe) for name, recipe in recipes.items()}
    for cls in techniques():
        technique = (cls.kind, technique_name(cls))
        using = [name for name, own in techniques_of.items() if technique in own]
        for backend in backends:
            reasons = [unsupported[backend, n] for n in using if (backend, n) in unsupported]
            own = [pair for pair in compared if backend in (pair.ours, pair.theirs)]
            errors = _errors(own, using)
            yield _cell(technique, backend, errors, reasons, known)


def _errors(
    pairs_of_backend: Sequence[BackendPair], recipes: Sequence[str]
) -> list[Mapping[Check, float]]:
    """Return the errors of each recipe that was followed: medians over the other backends."""
    errors: list[Mapping[Check, float]] = []
    for name in recipes:
        own = [pair.comparison.errors for pair in pairs_of_backend if pair.recipe == name]
        if own:
            errors.append(
                {c: statistics.median_low([by_check[c] for by_check in own]) for c in CHECKS}
            )
    return errors


def _cell(
    technique: tuple[str, str],
    backend: str,
    errors_by_recipe: Sequence[Mapping[Check, float]],
    reasons: Sequence[str],
    known: Sequence[Deviation],
) -> MatrixCell:
    """Return the cell of a technique, from the errors of its recipes or why it is unsupported."""
    kind, name = technique
    deviating = [row for row in known if (row.technique, row.backend) == (name, backend)]
    errors: dict[Check, float] = {}
    if errors_by_recipe:
        errors = {
            check: max(0.0, *(by_check[check] for by_check in errors_by_recipe)) for check in CHECKS
        }
    state: CellState = "not followed"
    if reasons:
        state = "unsupported"
    elif errors and max(errors.values()) <= TOLERANCE:
        state = "exact"
    elif errors:
        sizes = {row.check: row.size for row in deviating}
        state = "deviates" if _within(errors, sizes) else "differs"
    reason = "; ".join(reasons or [row.reason for row in deviating])
    return MatrixCell(kind, name, backend, state, errors, len(errors_by_recipe), reason)
