"""What each technique costs: its step against the plain dense step, and predictions by one lane.

Both are timed turn by turn in one process. Where arithmetic demands more than the bound, the remark
says what the technique adds.
"""

from __future__ import annotations

from statistics import median

import pytest
import variants

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
        tell(what, backend, f"{step:.1f}", f"plain {base:.1f}", f"{step / base:.2f}x", "")


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
