"""What each technique costs: its step against the plain dense step, and predictions by one lane.

Both are timed turn by turn in one process. Where a step takes longer than the bound, the remark
says what the technique adds to the arithmetic of the plain step, how many ms plain loops take over
that here (NumPy's over as many bytes, Numba's over as many blocks of Threefry), and how long a
step would be that took no more than the plain one and these.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from statistics import median

import numpy as np
import pytest
import variants

from manyseeds.processes.host import cores

BOUND = 1.6
BACKENDS = ("pytorch", "tensorflow", "jax")
LANES, STEPS, ROUNDS = 64, 20, 3
PREDICTIONS = {
    "relu": ("plain", "plain"),
    "elu": ("elu", "plain"),
    "selu": ("selu", "plain"),
    "batch_norm": ("batch_norm before", "plain"),
    "batch_norm, folded": ("batch_norm before", "folded"),
    "dropout, one sample": ("dropout", "1"),
    "dropout, 10 samples": ("dropout", "10"),
    "dropout, 100 samples": ("dropout", "100"),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_of_every_technique(backend, subject, tell):
    pytest.importorskip({"pytorch": "torch"}.get(backend, backend))
    process = subject("steps", "timing", STEPS, backend, LANES)
    process.work("plain")
    for variant in variants.VARIANTS:
        process.work(variant)
        plain, own = [], []
        for _ in range(ROUNDS):
            plain.append(process.work("plain")["seconds"])
            own.append(process.work(variant)["seconds"])
        step, base = 1e3 * median(own) / STEPS, 1e3 * median(plain) / STEPS
        what = f"a step of {LANES} lanes, ms: {variant}"
        why = remark(variant, base) if step > BOUND * base else ""
        tell(what, backend, f"{step:.1f}", f"plain {base:.1f}", f"{step / base:.2f}x", why)


def remark(variant, base):
    """Return what a technique adds to a plain step of so many ms, and what it must take with it."""
    plain, added = variants.plain_arithmetic(LANES), variants.added_arithmetic(variant, LANES)
    parts = [f"{added.flops / 1e6:+.0f} Mflop to {plain.flops / 1e6:.0f}"]
    floor = base * (1 + added.flops / plain.flops)
    if added.bytes:
        moved = 1e3 * added.bytes * seconds_per_byte()
        parts.append(f"{added.bytes / 1e6:+.0f} MB to {plain.bytes / 1e6:.0f} (alone {moved:.1f})")
        floor += moved
    if added.blocks:
        drawn = 1e3 * added.blocks * seconds_per_block()
        parts.append(f"{added.blocks / 1e6:.2f} M blocks of Threefry (alone {drawn:.1f})")
        floor += drawn
    return f"{'; '.join(parts)}: {floor / base:.2f}x"


@cache
def seconds_per_byte():
    """Return how long a byte takes that NumPy reads and writes, all cores at it."""
    parts = [np.ones(1 << 23, np.float32) for _ in range(cores())]
    return least_seconds(lambda part: np.negative(part, out=part), parts) / (
        2 * sum(part.nbytes for part in parts)
    )


@cache
def seconds_per_block():
    """Return how long a block of Threefry-2x32-20 takes in vector instructions, all cores at it."""
    threefry = pytest.importorskip("manyseeds_pytorch.threefry")
    outputs = [np.empty((2, 1 << 18), np.uint32) for _ in range(cores())]
    key = np.zeros(2, np.uint32)
    return least_seconds(lambda out: threefry.draw(key, 0, out), outputs) / sum(
        out.shape[1] for out in outputs
    )


def least_seconds(work: Callable, items: list) -> float:
    """Return the least time, of several, that threads take for the items, one each."""
    found = []
    with ThreadPoolExecutor(len(items)) as pool:
        for _ in range(10 * ROUNDS):
            started = time.perf_counter()
            list(pool.map(work, items))
            found.append(time.perf_counter() - started)
    return min(found)


@pytest.mark.parametrize("backend", BACKENDS)
def test_predictions_by_one_lane(backend, subject, tell):
    pytest.importorskip({"pytorch": "torch"}.get(backend, backend))
    process = subject("prediction", "timing", 3, backend)
    base = None
    for name, arguments in PREDICTIONS.items():
        process.work(*arguments)
        seconds = 1e3 * median(process.work(*arguments)["seconds"] for _ in range(ROUNDS))
        base = base or seconds
        what = f"2,000 predictions by one lane, ms: {name}"
        tell(what, backend, f"{seconds:.2f}", f"relu {base:.2f}", f"{seconds / base:.2f}x", "")
