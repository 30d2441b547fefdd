"""Seconds per seed: a cohort of manyseeds against Keras `fit`, and one lane against plain loops.

Each peer is timed in the same run, turn by turn with ours, each in a process of its own.
"""

from __future__ import annotations

from statistics import median

import problems
import pytest

BACKENDS = ("pytorch", "tensorflow", "jax")
ROUNDS = 3
PLAIN_LOOPS = {"pytorch": "torch_loop", "tensorflow": "keras", "jax": "flax_loop"}


def _turns(benchmark, ours, peer, rounds):
    """Time ours with pytest-benchmark, the peer before each round; return both, in seconds."""
    mine, theirs = [], []

    def before():
        theirs.append(peer.work()["seconds"])

    benchmark.pedantic(lambda: mine.append(ours.work()), setup=before, rounds=rounds)
    return mine, theirs


@pytest.mark.parametrize("backend", BACKENDS)
def test_scratch_of_64_lanes(backend, subject, benchmark, tell):
    pytest.importorskip({"pytorch": "torch"}.get(backend, backend))
    lanes, epochs = 64, 20
    ours = subject("ours", "scratch", epochs, backend, lanes)
    keras = subject("keras", "scratch", epochs)
    keras.work()
    cold = ours.work()
    mine, theirs = _turns(benchmark, ours, keras, ROUNDS)
    peer = median(theirs)
    warm = median(found["seconds"] for found in mine) / lanes
    first = cold["seconds"] / lanes
    what = f"task B from scratch, {lanes} lanes, s/seed"
    tell(
        f"{what}, warm", backend, f"{warm:.4f}", f"Keras fit {peer:.3f}", f"{peer / warm:.1f}x", ""
    )
    remark = f"compiling took {cold['compile']:.1f} s"
    tell(
        f"{what}, cold",
        backend,
        f"{first:.4f}",
        f"Keras fit {peer:.3f}",
        f"{peer / first:.1f}x",
        remark,
    )
    benchmark.extra_info.update(ratio_warm=peer / warm, ratio_cold=peer / first)


@pytest.mark.parametrize("backend", BACKENDS)
def test_pretraining_of_16_lanes(backend, subject, benchmark, tell):
    pytest.importorskip({"pytorch": "torch"}.get(backend, backend))
    lanes = 16
    ours = subject("ours", "pretrain", 1, backend, lanes)
    keras = subject("keras", "pretrain", 1)
    product = subject("product", "pretrain", 1)
    keras.work()
    ours.work()
    mine, theirs = _turns(benchmark, ours, keras, 2)
    peer = median(theirs)
    per_seed = median(found["seconds"] for found in mine) / lanes
    floor = problems.flops_per_example("pretrain") * 43_986 / product.work()["flops_per_second"]
    what = f"an epoch of task A, {lanes} lanes, s/seed"
    remark = (
        f"{100 * floor / per_seed:.0f} % of the product's speed, which would be {peer / floor:.1f}x"
    )
    tell(
        what, backend, f"{per_seed:.3f}", f"Keras fit {peer:.2f}", f"{peer / per_seed:.1f}x", remark
    )
    benchmark.extra_info.update(ratio=peer / per_seed, floor_ratio=peer / floor)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_lane_alone(backend, subject, benchmark, tell):
    pytest.importorskip({"pytorch": "torch"}.get(backend, backend))
    epochs = 20
    loop = PLAIN_LOOPS[backend]
    ours = subject("ours", "scratch", epochs, backend, 1)
    peer = subject(loop, "scratch", epochs)
    peer.work()
    ours.work()
    mine, theirs = _turns(benchmark, ours, peer, 5)
    solo, plain = median(found["seconds"] for found in mine), median(theirs)
    tell(
        "task B from scratch, solo, s",
        backend,
        f"{solo:.3f}",
        f"{loop} {plain:.3f}",
        f"{plain / solo:.1f}x",
        "",
    )
    benchmark.extra_info.update(ratio=plain / solo)


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_grows_with_the_lanes(backend, subject, tell):
    pytest.importorskip({"pytorch": "torch"}.get(backend, backend))
    peaks = {}
    for lanes in (16, 64, 128):
        ours = subject("ours", "scratch", 2, backend, lanes)
        peaks[lanes] = ours.work()["peak_memory_bytes"]
        ours.close()
    low = (peaks[64] - peaks[16]) / 48
    high = (peaks[128] - peaks[64]) / 64
    shown = ", ".join(f"{n}: {peak / 2**20:.0f} MiB" for n, peak in peaks.items())
    remark = f"a lane adds {low / 2**20:.1f}, then {high / 2**20:.1f} MiB"
    tell("peak memory by lanes", backend, shown, "", f"{high / low:.2f}x", remark)
