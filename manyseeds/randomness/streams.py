"""Streams: the named sources of randomness, drawn in NumPy, the same for every backend.

A seed gives each stream its value; a stream can be pinned to one value while the others vary.
Every draw has an address, (seed, stream, path): nothing depends on what was drawn before.
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
"""The value of a stream that is held fixed while others vary."""


@dataclass(frozen=True)
class StreamSeeds:
    """One lane's value of every stream; `split` is None where the protocol fixes the split."""

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
    """
    values: dict[str, int] = {
        stream: seed if stream in varied else PINNED_SEED for stream in STREAMS if stream != "split"
    }
    return StreamSeeds(**values, split=seed if "split" in varied else None)


def _sequence(seed: int, stream: Stream, path: Sequence[str | int]) -> np.random.SeedSequence:
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream), *words))


def generator(seed: int, stream: Stream, *path: str | int) -> np.random.Generator:
    """Return the Philox generator at the address (seed, stream, path)."""
    return np.random.Generator(np.random.Philox(_sequence(seed, stream, path)))


def key(seed: int, stream: Stream, *path: str | int) -> NDArray[np.uint32]:
    """Return the counter-based generator's key at the address (seed, stream, path), two words."""
    return _sequence(seed, stream, path).generate_state(2, np.uint32).astype(np.uint32)


def batch_order(
    task: str, rows: Sequence[NDArray[np.int32]], seeds: Sequence[int], epoch: int
) -> NDArray[np.int32]:
    """Return each lane's order of its training rows in an epoch, [lanes, n].

    Parameters
    ----------
    task
        Name of the task; tasks have independent orders.
    rows
        Each lane's rows of the training split, [n] per lane.
    seeds
        Each lane's `order` seed.
    epoch
        Epochs the recipe has spent on this task before this one.
    """
    return np.stack(
        [
            generator(seed, "order", task, epoch).permutation(lane)
            for seed, lane in zip(seeds, rows, strict=True)
        ]
    )


def training_rows(
    task: str, available: int, wanted: int | None, seeds: Sequence[int | None]
) -> list[NDArray[np.int32]]:
    """Return each lane's rows of the training split, [n] per lane.

    A lane without a `split` seed has the first `wanted` rows, as the protocol says; a lane with
    one has `wanted` rows drawn without replacement, in the order of the file: where all are wanted
    the split stream changes nothing. None wants all of them.
    """
    wanted = available if wanted is None else wanted
    first = np.arange(wanted, dtype=np.int32)
    return [
        first
        if seed is None
        else np.sort(generator(seed, "split", task).permutation(available)[:wanted]).astype(
            np.int32
        )
        for seed in seeds
    ]
