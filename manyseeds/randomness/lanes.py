"""The seeds of a cohort: one value of every stream for each lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from manyseeds.randomness import streams
from manyseeds.randomness.streams import StreamSeeds


@dataclass(frozen=True)
class Lanes:
    """The stream seeds of a cohort's lanes, in the order of the lanes."""

    seeds: tuple[StreamSeeds, ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def of(self, stream: streams.Stream) -> list[int]:
        """Return every lane's seed of a stream other than `split`, which may have none."""
        return [getattr(lane, stream) for lane in self.seeds]


def seeds_of(seeds: Sequence[int], varied: Sequence[streams.Stream]) -> Lanes:
    """Return one lane for each seed; the seed drives the `varied` streams, the rest are pinned.

    >>> seeds_of([7, 8], ["init"]).of("init")
    [7, 8]
    >>> seeds_of([7, 8], ["init"]).of("order")
    [0, 0]
    """
    return Lanes(tuple(streams.stream_seeds(seed, varied) for seed in seeds))
