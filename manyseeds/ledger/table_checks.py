"""The checks of a ledger's tables as they are read.

Every row is one that the plan promised, once, and every value one that a training can have. A
ledger may have been edited, doubled or mixed up without damage to the bytes of its files. The first
value that cannot be true is an error that names its file, row and column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from manyseeds.ledger.promises import Promise
from manyseeds.ledger.schemas import KEYS, METRICS, RANGES, Kind

STATUSES = ("ok", "diverged", "failed", "timed_out")
"""The statuses of a record; a promised row without a record is `missing`."""

_REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "records": ("suite", "lanes", "status"),
    "curves": ("phase", "epoch", "rate"),
    "diagnostics": ("phase", "epoch", "layer", "quantity"),
}
"""The columns without gaps, beside those that identify a training."""

_UNIQUE: Mapping[Kind, tuple[str, ...]] = {
    "curves": ("epoch",),
    "diagnostics": ("phase", "epoch", "step", "layer", "quantity"),
}
"""The columns that tell the rows of one training apart."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Fault:
    """A value that cannot be true: its row in the table, from 0, its column, and the problem."""

    row: int
    column: str
    problem: str


@dataclass(frozen=True)
class Block:
    """The rows of a table that one attempt at a job has written: from `start` up to `stop`."""

    promise: Promise
    attempt: int
    start: int
    stop: int


def faults(
    frame: pd.DataFrame, kind: Kind, suite: str, promised: Mapping[int, Promise]
) -> Iterator[Fault]:
    """Yield the values of a table that cannot be true.

    Each check relies on those before it, so only the first fault is sure to be one.

    Parameters
    ----------
    frame
        All rows of a kind, attempt by attempt.
    suite
        The name of the run's suite.
    promised
        The promise of every job.
    """
    for name in (*KEYS, "seed", "job", "attempt", *_REQUIRED[kind]):
        yield from _first(frame, name, frame[name].isna(), "expected a value")
    for name in (name for name in RANGES if name in frame):
        low, high = RANGES[name]
        column = frame[name].to_numpy(np.float64, na_value=np.nan)
        yield from _first(frame, name, (column < low) | (column > high), _expected(low, high))
    unknown_jobs = ~frame["job"].isin(list(promised))
    yield from _first(frame, "job", unknown_jobs, "the run's plan has no such job")
    blocks = blocks_of(frame, promised)
    for name in KEYS:
        right = _spread([getattr(block.promise.job, name) for block in blocks], blocks)
        yield from _unequal(frame, name, right)
    if kind == "records":
        yield from _record_faults(frame, suite, blocks)
    else:
        yield from _epoch_faults(frame, kind, blocks)


def blocks_of(frame: pd.DataFrame, promised: Mapping[int, Promise]) -> list[Block]:
    """Return the stretches of a table's rows with the same job and attempt, in order."""
    if frame.empty:
        return []
    job, attempt = (frame[name].to_numpy(np.int64) for name in ("job", "attempt"))
    changes = np.flatnonzero((np.diff(job) != 0) | (np.diff(attempt) != 0)) + 1
    starts = [0, *changes.tolist()]
    stops = [*changes.tolist(), len(frame)]
    return [
        Block(promised[int(job[start])], int(attempt[start]), start, stop)
        for start, stop in zip(starts, stops, strict=True)
    ]


def _record_faults(frame: pd.DataFrame, suite: str, blocks: list[Block]) -> Iterator[Fault]:
    seen: set[tuple[int, int]] = set()
    for block in blocks:
        job = block.promise.job
        if (job.id, block.attempt) in seen:
            yield Fault(block.start, "attempt", f"{block.attempt} at job {job.id} a second time")
        seen.add((job.id, block.attempt))
        if block.stop - block.start != len(job.seeds):
            yield Fault(
                block.start,
                "seed",
                f"{block.stop - block.start} rows of job {job.id}, which has {len(job.seeds)}",
            )
    seeds = [seed for block in blocks for seed in block.promise.job.seeds]
    yield from _unequal(frame, "seed", np.array(seeds, np.int64))
    yield from _unequal(frame, "suite", np.full(len(frame), suite, object))
    lanes = _spread([len(block.promise.job.seeds) for block in blocks], blocks)
    yield from _unequal(frame, "lanes", lanes)
    for stream in ("init", "order", "dropout", "augment", "split"):
        yield from _stream_faults(frame, stream, blocks)
    yield from _status_faults(frame, blocks)
    yield from _hash_faults(frame)


def _stream_faults(frame: pd.DataFrame, stream: str, blocks: list[Block]) -> Iterator[Fault]:
    """Yield rows whose seed of a stream is not the one that the job gives it."""
    varied = _spread([stream in block.promise.job.varied for block in blocks], blocks)
    pinned = -1 if stream == "split" else 0
    seed, column = frame["seed"].to_numpy(np.int64), f"seed_{stream}"
    found = frame[column].to_numpy(np.int64, na_value=-1)
    wrong = found != np.where(varied.astype(bool), seed, pinned)
    yield from _first(frame, column, wrong & (found >= 0), "not the seed that the plan gives it")


def _status_faults(frame: pd.DataFrame, blocks: list[Block]) -> Iterator[Fault]:
    """Yield rows whose status is unknown, or not the one of a row with these values."""
    status = frame["status"].to_numpy(object)
    known = f"expected {', '.join(STATUSES)}"
    yield from _first(frame, "status", ~np.isin(status, STATUSES), known)
    ok, trained = status == "ok", np.isin(status, ("ok", "diverged"))
    reason = frame["reason"].fillna("").to_numpy(object) != ""
    steady = _spread([block.promise.steady for block in blocks], blocks).astype(bool)
    without = "a row that is ok has none, unless it stopped early"
    yield from _first(frame, "reason", ok & reason & steady, without)
    yield from _first(frame, "reason", ~ok & ~reason, "expected why the row is not ok")
    yield from _first(
        frame, "test_loss", ok & _absent(frame, "test_loss"), "a row that is ok has one"
    )
    classifies = _spread([block.promise.classifies for block in blocks], blocks).astype(bool)
    without = ok & classifies & _absent(frame, "test_accuracy")
    yield from _first(frame, "test_accuracy", without, "a row that is ok has one")
    for name in METRICS:
        stray = ~trained & ~_absent(frame, name)
        yield from _first(frame, name, stray, "a row that was not trained has none")
    epochs = frame["epochs"].to_numpy(np.float64, na_value=0)
    most = _spread([block.promise.epochs for block in blocks], blocks).astype(np.float64)
    yield from _first(frame, "epochs", epochs > most, "more epochs than the recipe has")
    best = frame["best_epoch"].to_numpy(np.float64, na_value=0)
    yield from _first(frame, "best_epoch", best > epochs, "more than the epochs of the training")


def _hash_faults(frame: pd.DataFrame) -> Iterator[Fault]:
    """Yield trained rows of one recipe and case that have another hash than the first of them.

    Another session may have been of another version of manyseeds, whose recipes have other fields.
    """
    trained = frame[frame["status"].isin(["ok", "diverged"])]
    groups = trained.groupby(["recipe", "case", "session"], sort=False, dropna=False)
    hashes = groups["recipe_sha256"]
    other = (trained["recipe_sha256"] != hashes.transform("first")).to_numpy(np.bool_)
    rows = trained.index.to_numpy()[other]
    mask = np.zeros(len(frame), np.bool_)
    mask[rows] = True
    yield from _first(frame, "recipe_sha256", mask, "other rows of this recipe have another hash")


def _epoch_faults(frame: pd.DataFrame, kind: Kind, blocks: list[Block]) -> Iterator[Fault]:
    """Yield rows of curves or diagnostics of a lane, phase or epoch that the job does not have."""
    seed = frame["seed"].to_numpy(np.int64)
    stray = np.zeros(len(frame), np.bool_)
    for block in blocks:
        own = slice(block.start, block.stop)
        stray[own] = ~np.isin(seed[own], block.promise.job.seeds)
    yield from _first(frame, "seed", stray, "the job has no such lane")
    known = {block.promise.job.id: block.promise.phases for block in blocks}
    for job, phase in frame[["job", "phase"]].drop_duplicates().itertuples(index=False):
        phases = known[int(job)]
        if phases is not None and phase not in phases:
            unknown = (frame["job"] == job) & (frame["phase"] == phase)
            yield from _first(frame, "phase", unknown, "the recipe has no such phase")
    epoch = frame["epoch"].to_numpy(np.int64)
    most = _spread([block.promise.epochs for block in blocks], blocks).astype(np.float64)
    least = 1 if kind == "curves" else 0
    wrong = (epoch < least) | (epoch > most)
    yield from _first(frame, "epoch", wrong, "not an epoch of the recipe")
    doubled = frame.duplicated(["job", "attempt", "seed", *_UNIQUE[kind]])
    yield from _first(frame, "epoch", doubled, "the same row stands there a second time")


def other_recipes(records: pd.DataFrame, promised: Mapping[int, Promise]) -> list[str]:
    """Return the recipes that were trained under another hash than the plan's suite gives them now.

    None if that is so of all of them: an older version of manyseeds then hashed recipes otherwise.
    """
    trained = records[records["status"].isin(["ok", "diverged"])]
    trained = trained.drop_duplicates(["recipe", "case"])
    names = list(trained["recipe"])
    others = [
        recipe
        for recipe, job, found in zip(names, trained["job"], trained["recipe_sha256"], strict=True)
        if promised[int(job)].fingerprint not in (None, found)
    ]
    return sorted(set(others)) if len(others) < len(names) else []


def gaps(
    curves: pd.DataFrame, records: pd.DataFrame, promised: Mapping[int, Promise]
) -> Iterator[tuple[int, int, str]]:
    """Yield the attempts whose curves lack epochs of a lane that was ok: job, attempt, problem.

    Lanes that stop early or diverge have fewer epochs; a job without any curves is no gap.
    """
    attempt = ["job", "attempt"]
    steady = [job for job, promise in promised.items() if promise.steady]
    ok = records[(records["status"] == "ok") & records["job"].isin(steady)]
    ok = ok[[*attempt, "seed", "epochs"]].dropna().merge(curves[attempt].drop_duplicates())
    counts = curves.groupby([*attempt, "seed"], sort=False).size().rename("rows").reset_index()
    both = ok.merge(counts, on=[*attempt, "seed"], how="left").fillna({"rows": 0})
    short = both[both["rows"] != both["epochs"]].astype("int64")
    for job, number, seed, epochs, rows in short.itertuples(index=False, name=None):
        yield job, number, f"seed {seed} has {rows} epochs, and its record says {epochs}"


def _spread(values: list[Any], blocks: list[Block]) -> NDArray[Any]:
    """Return one value for each block as one for each row."""
    by_block = np.empty(len(values), object)
    by_block[:] = values
    return np.repeat(by_block, [block.stop - block.start for block in blocks])


def _absent(frame: pd.DataFrame, column: str) -> Mask:
    return frame[column].isna().to_numpy(np.bool_)


def _expected(low: float, high: float) -> str:
    if np.isinf(high):
        return f"expected at least {low:g}"
    return f"expected {low:g} to {round(high, 3):g}"


def _unequal(frame: pd.DataFrame, column: str, right: NDArray[Any]) -> Iterator[Fault]:
    wrong = np.flatnonzero(frame[column].to_numpy(object) != right.astype(object))
    for row in wrong[:1]:
        expected = _plain(right[row])
        yield Fault(
            int(row), column, f"{_shown(frame, column, row)}, where the plan has {expected!r}"
        )


def _first(frame: pd.DataFrame, column: str, mask: Any, expected: str) -> Iterator[Fault]:
    for row in np.flatnonzero(np.asarray(mask, np.bool_))[:1]:
        yield Fault(int(row), column, f"{_shown(frame, column, row)}: {expected}")


def _shown(frame: pd.DataFrame, column: str, row: int) -> str:
    value = frame[column].iloc[row]
    return "nothing" if pd.isna(value) else repr(_plain(value))[:200]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
