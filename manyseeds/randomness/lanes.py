"""The seeds of a cohort's lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from manyseeds.randomness import streams
from manyseeds.randomness.streams import StreamSeeds


@dataclass(frozen=True)
class Lanes:
    """The seeds of a cohort's lanes, one `StreamSeeds` each."""

    seeds: tuple[StreamSeeds, ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def of(self, stream: streams.Stream) -> list[int]:
        """Return each lane's seed of a stream that is always drawn from."""
        return [getattr(lane, stream) for lane in self.seeds]


def seeds_of(seeds: Sequence[int], varied: Sequence[streams.Stream]) -> Lanes:
    """Return the lanes of a job's seeds."""
    return Lanes(tuple(streams.stream_seeds(seed, varied) for seed in seeds))
