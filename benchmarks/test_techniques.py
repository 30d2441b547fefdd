"""The cost of each technique: its step against the plain dense step, and predictions by one lane.

Both steps are timed in turn in one process. Where a step takes longer than the bound, the remark
states the arithmetic that the technique adds to the plain step, the time that plain loops need for
it on this machine (NumPy for the bytes, Numba for the blocks of Threefry, the fastest products for
the operations), and the length of a step that takes only this time longer than the plain one.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
import pytest

from benchmarks import variants
from benchmarks.ratio_table import as_long
from benchmarks.sizes import PREDICTIONS
from benchmarks.threefry import compiled_draw
from manyseeds.processes.host import cores

BOUND = 1.6
FLOOR_ROUNDS = 30


@pytest.fixture(scope="module")
def plain_floor(sizes, floor):
    """Return the floor under a plain step."""
    return floor(variants.plain_products(), sizes.step_lanes)


@pytest.fixture(scope="module")
def seconds_per_byte():
    """Return the seconds that NumPy needs to read or write a byte, with all cores busy."""
    parts = [np.ones(1 << 23, np.float32) for _ in range(cores())]
    seconds = least_seconds(lambda part: np.negative(part, out=part), parts)
    return seconds / (2 * sum(part.nbytes for part in parts))


@pytest.fixture(scope="module")
def seconds_per_block():
    """Return the seconds of a block of Threefry-2x32-20 in vector instructions, all cores busy."""
    pytest.importorskip("numba")
    draw, zero = compiled_draw(), np.uint32(0)
    outputs = [np.empty((2, 1 << 18), np.uint32) for _ in range(cores())]
    seconds = least_seconds(lambda out: draw(zero, zero, out), outputs)
    return seconds / sum(out.shape[1] for out in outputs)


def least_seconds(work, items):
    """Return the least time, of several, that threads take for the items, one each."""
    seconds = []
    with ThreadPoolExecutor(len(items)) as pool:
        for _ in range(FLOOR_ROUNDS):
            started = time.perf_counter()
            list(pool.map(work, items))
            seconds.append(time.perf_counter() - started)
    return min(seconds)


@pytest.fixture
def remark(sizes, plain_floor, seconds_per_byte, seconds_per_block):
    """Return a function that describes the arithmetic a variant adds to a plain step."""

    def remark(variant, base):
        plain = variants.plain_arithmetic(sizes.step_lanes)
        added = variants.added_arithmetic(variant, sizes.step_lanes)
        operating = 1e3 * added.flops / plain_floor.flops_per_second
        moving = 1e3 * added.bytes * seconds_per_byte
        drawing = 1e3 * added.blocks * seconds_per_block
        parts = [
            f"{added.flops / 1e6:+.0f} Mflop to {plain.flops / 1e6:.0f} (alone {operating:.1f} ms)"
        ]
        if added.bytes:
            megabytes = f"{added.bytes / 1e6:+.0f} MB to {plain.bytes / 1e6:.0f}"
            parts.append(f"{megabytes} (alone {moving:.1f} ms)")
        if added.blocks:
            blocks = f"{added.blocks / 1e6:.2f} M blocks of Threefry"
            parts.append(f"{blocks} (alone {drawing:.1f} ms)")
        least = base + operating + moving + drawing
        return f"{'; '.join(parts)}: {as_long(least, base)}"

    return remark


def test_steps_of_every_technique(backend, sizes, subject, report, plain_floor, remark):
    process = subject("steps", backend, sizes.steps, sizes.step_lanes)

    def milliseconds(variant):
        return 1e3 * process.work(variant)["seconds"] / sizes.steps

    milliseconds("plain")
    base = median(milliseconds("plain") for _ in range(sizes.step_rounds))
    products = 1e3 * plain_floor.seconds
    report(
        f"a plain step of {sizes.step_lanes} lanes",
        backend,
        ours=f"{base:.1f} ms",
        peer=f"products alone {products:.1f} ms",
        ratio=as_long(base, products),
        remark=f"the fastest products are those of {plain_floor.names}",
    )
    for variant in sizes.variants:
        milliseconds(variant)
        turns = [(milliseconds("plain"), milliseconds(variant)) for _ in range(sizes.step_rounds)]
        base, step = (median(times) for times in zip(*turns, strict=True))
        report(
            f"a step of {sizes.step_lanes} lanes: {variant}",
            backend,
            ours=f"{step:.1f} ms",
            peer=f"plain {base:.1f} ms",
            ratio=as_long(step, base),
            remark=remark(variant, base) if step > BOUND * base else "",
        )


def test_predictions_by_one_lane(backend, sizes, subject, report):
    process = subject("prediction", backend, sizes.prediction_count)

    def milliseconds(prediction):
        process.work(*PREDICTIONS[prediction])
        answers = [process.work(*PREDICTIONS[prediction]) for _ in range(sizes.step_rounds)]
        return 1e3 * median(answer["seconds"] for answer in answers)

    relu = milliseconds("relu")
    for prediction in sizes.predictions:
        own = relu if prediction == "relu" else milliseconds(prediction)
        report(
            f"2,000 predictions by one lane: {prediction}",
            backend,
            ours=f"{own:.2f} ms",
            peer=f"relu {relu:.2f} ms",
            ratio=as_long(own, relu),
        )
