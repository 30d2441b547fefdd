"""The JAX wing's losses: their gradients and their values at the edges."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import jax.numpy as jnp

from manyseeds.backend.values import Batch, EpochPlan
from manyseeds.techniques.network_streams import initial_weights
from manyseeds_jax.losses import losses_of_probabilities
from tests.backends.jax.toy import FEATURES, dense_network, keys, phase, started


def test_a_certain_and_correct_prediction_has_no_loss(double):
    sure = jnp.array([[1.0], [0.0]])
    losses = losses_of_probabilities("binary_cross_entropy", sure, jnp.array([1.0, 0.0]))
    np.testing.assert_array_equal(losses, [0, 0])


@pytest.mark.parametrize(
    ("hidden", "outputs", "activation"),
    [
        ("elu", 3, "softmax"),
        ("tanh", 1, "logistic"),
        ("leaky_relu", 1, "linear"),
    ],
)
def test_gradient_is_the_slope_of_the_loss(double, hidden, outputs, activation):
    """By central differences: lanes 0 and 1 have one weight moved up and down."""
    net = dense_network((6, hidden), outputs=outputs, activation=activation, dropout=0.2)
    width = 1e-6
    rows = np.arange(10, dtype=np.int32)[None].repeat(2, axis=0)
    noise = {label: key.repeat(2, axis=0) for label, key in keys(net, [1]).items()}
    first = {
        name: value.repeat(2, axis=0) for name, value in initial_weights(net, FEATURES, [1]).items()
    }
    cohort = started(double, net, first, [1, 1])
    gradient = cohort.gradient(Batch(rows, noise, 4))
    at_rest = EpochPlan(rows, 10, np.zeros((2, 1)), None, noise, 4)
    for name, value in first.items():
        moved = value.copy()
        moved.reshape(2, -1)[:, -1] += [width, -width]
        cohort.begin(phase(net), first | {name: moved})
        up, down = cohort.train(at_rest).loss[:, 0]
        slope = gradient[name][0].reshape(-1)[-1]
        np.testing.assert_allclose((up - down) / (2 * width), slope, rtol=1e-6, atol=1e-9)
