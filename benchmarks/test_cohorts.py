"""Seconds per seed: a cohort of manyseeds against Keras `fit`, and one lane against plain loops.

Each peer is timed in the same run, in turn with manyseeds, each in a process of its own.
"""

from statistics import median

import pytest

from benchmarks import training_tasks
from benchmarks.products import step_products
from benchmarks.ratio_table import as_fast
from manyseeds.datasets import task_splits

PLAIN_LOOPS = {"pytorch": "torch_loop", "tensorflow": "keras", "jax": "flax_loop"}


def in_turn(benchmark, ours, peer, rounds):
    """Time ours with pytest-benchmark, the peer before each round; return the median seconds."""
    mine, theirs = [], []
    benchmark.pedantic(
        lambda: mine.append(ours.work()),
        setup=lambda: theirs.append(peer.work()),
        rounds=rounds,
    )
    return median_seconds(mine), median_seconds(theirs)


def median_seconds(answers):
    return median(answer["seconds"] for answer in answers)


def test_training_from_scratch(backend, sizes, subject, benchmark, report):
    pytest.importorskip("keras")
    lanes, epochs = sizes.scratch_lanes, sizes.scratch_epochs
    task = f"scratch{sizes.form}"
    ours = subject("training", backend, task, epochs, lanes)
    keras = subject("keras", task, epochs)
    keras.work()
    cold = ours.work()
    warm, theirs = in_turn(benchmark, ours, keras, sizes.scratch_rounds)
    warm, first = warm / lanes, cold["seconds"] / lanes
    name = f"task B from scratch, {lanes} lanes, per seed"
    fit = f"Keras fit {theirs:.3f} s"
    report(f"{name}, warm", backend, ours=f"{warm:.4f} s", peer=fit, ratio=as_fast(warm, theirs))
    report(
        f"{name}, cold",
        backend,
        ours=f"{first:.4f} s",
        peer=fit,
        ratio=as_fast(first, theirs),
        remark=f"compiling took {cold['compile']:.1f} s",
    )
    benchmark.extra_info.update(ratio_warm=theirs / warm, ratio_cold=theirs / first)


def test_pretraining(backend, sizes, subject, floor, benchmark, report):
    pytest.importorskip("keras")
    lanes, task = sizes.pretraining_lanes, f"pretrain{sizes.form}"
    ours = subject("training", backend, task, 1, lanes)
    keras = subject("keras", task, 1)
    keras.work()
    ours.work()
    mine, theirs = in_turn(benchmark, ours, keras, sizes.pretraining_rounds)
    per_seed = mine / lanes
    least = least_seconds_per_epoch(task, lanes, floor) / lanes
    report(
        f"an epoch of task A, {lanes} lanes, per seed",
        backend,
        ours=f"{per_seed:.3f} s",
        peer=f"Keras fit {theirs:.2f} s",
        ratio=as_fast(per_seed, theirs),
        remark=f"the fastest products alone: {least:.3f} s, {as_fast(least, theirs)}",
    )
    benchmark.extra_info.update(ratio=theirs / per_seed, floor_ratio=theirs / least)


def least_seconds_per_epoch(task, lanes, floor):
    """Return the seconds that the matrix products of an epoch take at least, in all lanes."""
    phase = training_tasks.phase(task)
    train = task_splits(phase.task, "float32").train
    examples = phase.task.train or len(train)
    products = step_products(phase.network, train.inputs.shape[1], phase.batch)
    return floor(products, lanes).seconds * examples / phase.batch


def test_one_lane_alone(backend, sizes, subject, benchmark, report):
    epochs, task = sizes.solo_epochs, f"scratch{sizes.form}"
    loop = PLAIN_LOOPS[backend]
    ours = subject("training", backend, task, epochs, 1)
    plain = subject(loop, task, epochs)
    plain.work()
    ours.work()
    solo, theirs = in_turn(benchmark, ours, plain, sizes.solo_rounds)
    report(
        "task B from scratch, solo",
        backend,
        ours=f"{solo:.3f} s",
        peer=f"{loop} {theirs:.3f} s",
        ratio=as_fast(solo, theirs),
    )
    benchmark.extra_info.update(ratio=theirs / solo)


def test_memory_grows_with_the_lanes(backend, sizes, subject, report):
    peaks = []
    for lanes in sizes.memory_lanes:
        process = subject("training", backend, f"scratch{sizes.form}", 2, lanes)
        peaks.append(process.work()["peak_memory_bytes"] / 2**20)
    few, some, many = sizes.memory_lanes
    first, then = (peaks[1] - peaks[0]) / (some - few), (peaks[2] - peaks[1]) / (many - some)
    sizes_of = zip(sizes.memory_lanes, peaks, strict=True)
    report(
        "peak memory",
        backend,
        ours=", ".join(f"{lanes} lanes: {peak:.0f} MiB" for lanes, peak in sizes_of),
        remark=f"a lane adds {first:.1f}, then {then:.1f} MiB",
    )
