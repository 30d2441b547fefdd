"""Checks that mutations are caught: a backend's mutated recipe against another's plain one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manyseeds.conformance.comparison import compare
from manyseeds.conformance.matrix import Followed
from manyseeds.conformance.mutations import Mutation


@dataclass(frozen=True)
class MutationResult:
    """The result of a mutation of one backend's own recipe.

    Attributes
    ----------
    backend, against
        The backend with the mutated recipe, and the one with the plain recipe.
    error
        The error of the first against the second.
    caught
        Whether the error exceeds the tolerance.
    """

    mutation: Mutation
    backend: str
    against: str
    error: float
    caught: bool


def mutation_results(
    followed: Followed, mutations: Sequence[Mutation], backends: Sequence[str]
) -> Iterator[MutationResult]:
    """Yield every mutation on every backend, compared with the next backend's plain recipe."""
    for mutation in mutations:
        able = [name for name in backends if mutation.recipe in followed[name]]
        for number, backend in enumerate(able):
            against = able[(number + 1) % len(able)]
            if mutation.name in followed[backend] and against != backend:
                comparison = compare(
                    followed[backend][mutation.name], followed[against][mutation.recipe]
                )
                yield MutationResult(
                    mutation, backend, against, comparison.error, not comparison.same
                )
