"""The JAX wing's penalties against plain NumPy."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.techniques.network_streams import initial_weights
from tests.backends.jax.toy import (
    FEATURES,
    PENALISED,
    PLAIN,
    SEEDS,
    STEPS,
    batch_of,
    plan,
    started,
)

FACTORS = {"hidden1": (0.03, 0), "hidden2": (0, 0.02), "output": (0.01, 0.05)}


def penalties(weights, lane):
    """Return the sum of one lane's penalties."""
    kernels = {label: weights[f"{label}/kernel"][lane] for label in FACTORS}
    return sum(
        l1 * np.abs(kernels[label]).sum() + l2 * np.square(kernels[label]).sum()
        for label, (l1, l2) in FACTORS.items()
    )


@pytest.mark.parametrize("frozen", [(), ("hidden1",)])
def test_penalties_are_not_in_the_loss_but_in_the_gradient_of_trained_layers(double, frozen):
    first = initial_weights(PLAIN, FEATURES, SEEDS)
    first["hidden1/kernel"][:, 0] = 0  # where the derivative of |w| is 0
    plain = started(double, PLAIN, first, frozen=frozen)
    penalised = started(double, PENALISED, first, frozen=frozen)
    steps = plan(PLAIN)
    without, with_penalties = (cohort.gradient(batch_of(steps)) for cohort in (plain, penalised))
    for name in without:
        l1, l2 = FACTORS[name.split("/")[0]] if name.endswith("kernel") else (0, 0)
        expected = without[name] + l1 * np.sign(first[name]) + 2 * l2 * first[name]
        np.testing.assert_allclose(with_penalties[name], expected, rtol=1e-12, atol=1e-16)
    trace, plain_trace = penalised.train(steps), plain.train(steps)
    assert plain_trace.penalty is None
    assert trace.penalty.shape == (3, STEPS)
    np.testing.assert_allclose(trace.loss[:, 0], plain_trace.loss[:, 0], rtol=1e-13)
    for lane in range(3):
        np.testing.assert_allclose(trace.penalty[lane, 0], penalties(first, lane), rtol=1e-12)
