"""The JAX cohort: frozen layers, rates of each lane, copies of weights, repeatability."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.backend.values import Batch
from manyseeds.errors import RequestError
from manyseeds.techniques.network_streams import initial_weights
from tests.backends.jax.toy import (
    FEATURES,
    SMALL,
    STEPS,
    dense_network,
    distance,
    phase,
    plan,
    started,
    trained,
)


def test_frozen_layers_do_not_change_and_have_no_gradient(single):
    cohort = started(single, SMALL, seeds=[1, 2], frozen=("hidden1",), optimizer="nesterov")
    before = cohort.weights()
    gradient = cohort.gradient(Batch(plan(SMALL, [1, 2]).order))
    cohort.train(plan(SMALL, [1, 2]))
    after = cohort.weights()
    assert list(before) == list(after) == list(SMALL.shapes(FEATURES))
    assert list(gradient) == ["output/kernel", "output/bias"]
    for name in before:
        assert np.array_equal(before[name], after[name]) == name.startswith("hidden1")


def test_a_phase_of_another_structure_is_refused(single):
    cohort = started(single, SMALL, seeds=[1])
    other = dense_network((8, "selu"))
    with pytest.raises(RequestError, match="another structure"):
        cohort.begin(phase(other), initial_weights(other, FEATURES, [1]))


def test_weights_are_copies_and_initial_weights_are_not_changed(single):
    first = initial_weights(SMALL, FEATURES, [1, 2, 3])
    first_copy = {name: value.copy() for name, value in first.items()}
    cohort = started(single, SMALL, first)
    before = cohort.weights()
    before_copy = {name: value.copy() for name, value in before.items()}
    cohort.train(plan(SMALL, [1, 2, 3]))
    for name, shape in SMALL.shapes(FEATURES).items():
        np.testing.assert_array_equal(first[name], first_copy[name])
        np.testing.assert_array_equal(before[name], before_copy[name])
        assert before[name].shape == (3, *shape)
        assert before[name].dtype == np.float32
        assert before[name].flags.writeable


def test_every_lane_has_its_own_learning_rates(double):
    rates = np.array([0.0, 0.1, 0.2])[:, None] * np.ones(STEPS)
    _, ended = trained(double, SMALL, [1, 1, 1], 1, rate=rates)
    first = initial_weights(SMALL, FEATURES, [1])
    for lane, rate in enumerate(rates[:, 0]):
        _, alone = trained(double, SMALL, [1], 1, rate=rate)
        lane_ended = {name: value[lane : lane + 1] for name, value in ended.items()}
        assert distance(lane_ended, alone) < 1e-12
        assert (distance(alone, first) == 0) == (rate == 0)


def test_the_same_plan_twice_is_bit_identical(single):
    runs = [
        trained(single, dense_network((9, "relu"), dropout=0.2), optimizer="adam") for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    for name, value in runs[0][1].items():
        np.testing.assert_array_equal(value, runs[1][1][name])
