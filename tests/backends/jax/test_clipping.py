"""The JAX wing's clipping, max-norm and kept zeros against plain NumPy."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import jax.numpy as jnp

from manyseeds.techniques.network_streams import initial_weights
from manyseeds_jax.clipping import clipped, shortened
from manyseeds_jax.network_layout import NetworkLayout
from tests.backends.jax.toy import (
    FEATURES,
    OUTPUT,
    PENALISED,
    PLAIN,
    SEEDS,
    batch_of,
    lane_of,
    network,
    one_step,
    plan,
    started,
)


def test_max_norm_shortens_columns_that_are_too_long_and_no_rows(double):
    kernel = np.array([[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]])
    np.testing.assert_allclose(shortened(jnp.asarray(kernel), 1.0), [[0.6, 0.3, 0], [0.8, 0.4, 0]])


def test_max_norm_follows_the_update_of_trained_layers(double):
    layers = [{"name": "dense", "units": 5, "max_norm": {"radius": 0.6}} for _ in range(2)]
    limited = network(*layers, OUTPUT)
    plain = network({"name": "dense", "units": 5}, {"name": "dense", "units": 5}, OUTPUT)
    steps = one_step(plain)
    first = initial_weights(plain, FEATURES, SEEDS)
    cohorts = [started(double, net, first, frozen=("hidden2",)) for net in (plain, limited)]
    for cohort in cohorts:
        cohort.train(steps)
    free, ours = (cohort.weights() for cohort in cohorts)
    lengths = np.linalg.norm(free["hidden1/kernel"], axis=1, keepdims=True)
    assert (lengths > 0.6).any()
    expected = free["hidden1/kernel"] * np.minimum(1, 0.6 / lengths)
    np.testing.assert_allclose(ours["hidden1/kernel"], expected, rtol=1e-12)
    for name in ("hidden1/bias", "hidden2/kernel", "output/kernel"):
        np.testing.assert_array_equal(ours[name], free[name])


def test_zeros_stay_zeros_where_a_phase_keeps_them(single):
    first = initial_weights(PLAIN, FEATURES, SEEDS)
    for lane in range(3):
        first["hidden1/kernel"][lane, lane] = 0
    cohort = started(single, PLAIN, first, optimizer="adam", keep_zeros=True)
    for epoch in range(3):
        cohort.train(plan(PLAIN, epoch=epoch))
    for name, value in cohort.weights().items():
        if name.endswith("/kernel"):
            np.testing.assert_array_equal(value == 0, first[name] == 0)
        else:
            assert (value != 0).all()


WHOLE = (0.9**2 + 100**2 + 173.2**2) ** 0.5


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("clip_value", ([0.9, 1.0], [1.0])),
        ("clip_norm", ([0.00899964, 0.9999595], [1.0])),
        ("global_clip_norm", ([0.9 / WHOLE, 100 / WHOLE], [173.2 / WHOLE])),
        (None, ([0.9, 100.0], [173.2])),
    ],
)
def test_clipping_is_the_chapters_example(double, kind, expected):
    gradient = {"a": jnp.array([0.9, 100.0]), "b": jnp.array([173.2])}
    layout = NetworkLayout.of(PLAIN, FEATURES, ())
    ours = clipped(kind, gradient, {"limit": jnp.asarray(1.0)}, layout)
    np.testing.assert_allclose(ours["a"], expected[0], rtol=1e-5)
    np.testing.assert_allclose(ours["b"], expected[1], rtol=1e-5)
    short = clipped(kind, {"a": jnp.array([0.0, 0.3])}, {"limit": jnp.asarray(1.0)}, layout)
    np.testing.assert_array_equal(short["a"], [0.0, 0.3])


@pytest.mark.parametrize("kind", ["clip_value", "clip_norm", "global_clip_norm"])
def test_each_lane_is_clipped_by_its_own_gradient_penalties_included(double, kind):
    limit, steps = 0.05, one_step(PENALISED, rate=1.0)
    first = initial_weights(PENALISED, FEATURES, SEEDS)
    first = {
        name: value * np.array([0.1, 1, 4]).reshape(3, *[1] * (value.ndim - 1))
        for name, value in first.items()
    }
    cohort = started(double, PENALISED, first, clipping={"name": kind, "limit": limit})
    gradient = cohort.gradient(batch_of(steps))
    cohort.train(steps)
    ended = cohort.weights()
    for lane in range(3):
        slopes = lane_of(gradient, lane)
        whole = np.sqrt(sum(np.square(slope).sum() for slope in slopes.values()))
        for name, slope in slopes.items():
            expected = {
                "clip_value": np.clip(slope, -limit, limit),
                "clip_norm": slope * min(1, limit / np.linalg.norm(slope)),
                "global_clip_norm": slope * min(1, limit / whole),
            }[kind]
            moved = first[name][lane] - ended[name][lane]
            np.testing.assert_allclose(moved, expected, rtol=1e-9, atol=1e-14)
