"""Streams: the named sources of randomness, drawn in NumPy, the same for every backend.

A seed gives each stream its value; a stream can be pinned to one value while the others vary.
Every draw has an address, (seed, stream, path), and does not depend on any earlier draw.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Stream = Literal["init", "order", "dropout", "augment", "split"]

STREAMS: tuple[Stream, ...] = get_args(Stream)

PINNED_SEED = 0
"""The seed of a stream that is held fixed while others vary."""


@dataclass(frozen=True)
class StreamSeeds:
    """One lane's seed of every stream; `split` is None where the protocol fixes the split."""

    init: int
    order: int
    dropout: int
    augment: int
    split: int | None = None

    def as_dict(self) -> dict[str, int | None]:
        """Return the seeds by stream name, in the order of `STREAMS`."""
        return {stream: getattr(self, stream) for stream in STREAMS}


def stream_seeds(seed: int, varied: Sequence[Stream]) -> StreamSeeds:
    """Return a lane's stream seeds: `seed` for the varied streams, the rest pinned.

    A split that is not varied is the protocol's own fixed split.

    >>> stream_seeds(9, ["init"])
    StreamSeeds(init=9, order=0, dropout=0, augment=0, split=None)
    """
    values: dict[str, int] = {
        stream: seed if stream in varied else PINNED_SEED for stream in STREAMS if stream != "split"
    }
    return StreamSeeds(**values, split=seed if "split" in varied else None)


def _sequence(seed: int, stream: Stream, path: Sequence[str | int]) -> np.random.SeedSequence:
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream), *words))


def generator(seed: int, stream: Stream, *path: str | int) -> np.random.Generator:
    """Return the Philox generator at the address (seed, stream, path).

    >>> generator(0, "order", "b", 3).permutation(8).tolist()
    [0, 1, 3, 2, 6, 5, 4, 7]
    """
    return np.random.Generator(np.random.Philox(_sequence(seed, stream, path)))


def key(seed: int, stream: Stream, *path: str | int) -> NDArray[np.uint32]:
    """Return the key of the noise at the address (seed, stream, path): two words."""
    return _sequence(seed, stream, path).generate_state(2, np.uint32).astype(np.uint32)


def batch_order(
    task: str, rows: Sequence[NDArray[np.int32]], seeds: Sequence[int], epoch: int
) -> NDArray[np.int32]:
    """Return the order in which each lane sees its training rows in an epoch, [lanes, n].

    Parameters
    ----------
    task
        Name of the task; orders of different tasks are independent.
    rows
        Every lane's rows of the training split, [n] per lane.
    seeds
        Every lane's `order` seed.
    epoch
        Number of epochs that the recipe has spent on this task before this one.
    """
    return np.stack(
        [
            generator(seed, "order", task, epoch).permutation(lane)
            for seed, lane in zip(seeds, rows, strict=True)
        ]
    )


def training_rows(
    task: str, available: int, count: int | None, seeds: Sequence[int | None]
) -> list[NDArray[np.int32]]:
    """Return each lane's rows of the training split, [n] per lane.

    Parameters
    ----------
    task
        Name of the task; draws of different tasks are independent.
    available
        Number of rows in the training split.
    count
        Number of rows to train on; None takes all of them.
    seeds
        Every lane's `split` seed. A lane without one has the first `count` rows, as the protocol
        says. A lane with one has `count` rows drawn without replacement, in the order of the file:
        where all rows are taken, the split stream changes nothing.

    Examples
    --------
    >>> [rows.tolist() for rows in training_rows("a", 9, 3, [None])]
    [[0, 1, 2]]
    """
    count = available if count is None else count
    first = np.arange(count, dtype=np.int32)
    return [
        first
        if seed is None
        else np.sort(generator(seed, "split", task).permutation(available)[:count]).astype(np.int32)
        for seed in seeds
    ]
