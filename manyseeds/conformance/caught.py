"""Whether every mutation is caught: a backend's mutated recipe against another's plain one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manyseeds.conformance.matrix import Followed
from manyseeds.conformance.mutations import Mutation
from manyseeds.conformance.parity import compare


@dataclass(frozen=True)
class Caught:
    """What became of a mutation in one backend's own recipe."""

    mutation: Mutation
    backend: str
    against: str
    error: float
    caught: bool


def caught(
    followed: Followed, mutations: Sequence[Mutation], backends: Sequence[str]
) -> Iterator[Caught]:
    """Yield every mutation in every backend, compared with the next backend's plain recipe."""
    for mutation in mutations:
        able = [name for name in backends if mutation.recipe in followed[name]]
        for number, backend in enumerate(able):
            against = able[(number + 1) % len(able)]
            if mutation.name in followed[backend] and against != backend:
                found = compare(
                    followed[backend][mutation.name], followed[against][mutation.recipe]
                )
                yield Caught(mutation, backend, against, found.error, not found.same)
