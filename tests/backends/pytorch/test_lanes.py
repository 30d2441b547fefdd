"""PyTorch's lanes of the dense network: independent, and divided among threads."""

import numpy as np
import pytest

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Batch

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch import entry  # noqa: E402
from tests.backends.pytorch.dense_toy import (  # noqa: E402
    BATCH,
    ROWS,
    a_network,
    a_phase,
    a_plan,
    first_weights,
    trained,
)
from tests.backends.pytorch.distance import distance  # noqa: E402

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize(
    ("precision", "epochs", "tolerance"), [("float32", 3, 1e-5), ("float64", 16, 1e-9)]
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_lane_does_not_depend_on_the_others(
    single, double, precision, epochs, tolerance, optimizer
):
    backend = {"float32": single, "float64": double}[precision]
    network = a_network(dropout=0.25)
    phase = a_phase(network, optimizer={"name": optimizer})
    rate = 0.02
    # Two threads, where there are two, get 8 and 9 of the 17 lanes.
    plan = a_plan(network, 17, epochs=epochs, rate=rate)
    _, many = trained(backend, network, plan, phase=phase)
    for seed in (0, 16):
        plan = a_plan(network, 1, epochs=epochs, rate=rate, seed=seed)
        weights = first_weights(network, 1, seed)
        _, alone = trained(backend, network, plan, phase=phase, weights=weights)
        assert plan.rate.shape[1] >= (10 if precision == "float32" else 50)
        lane = {name: value[seed : seed + 1] for name, value in many.weights().items()}
        assert distance(lane, alone.weights()) <= tolerance


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adam"])
@pytest.mark.parametrize("lanes", [4, 17])
def test_a_nan_lane_leaves_the_others_bit_identical(single, optimizer, lanes):
    network = a_network(dropout=0.25)
    phase = a_phase(network, optimizer={"name": optimizer})
    plan = a_plan(network, lanes, epochs=3, momentum=0.9)
    weights = first_weights(network, lanes)
    poisoned = {name: value.copy() for name, value in weights.items()}
    poisoned["hidden1/kernel"][2] = np.nan
    whole, healthy = trained(single, network, plan, phase=phase, weights=weights)
    trace, with_nan = trained(single, network, plan, phase=phase, weights=poisoned)
    others = [lane for lane in range(lanes) if lane != 2]
    assert np.isnan(trace.loss[2]).all()
    np.testing.assert_array_equal(trace.loss[others], whole.loss[others])
    for name, value in healthy.weights().items():
        np.testing.assert_array_equal(with_nan.weights()[name][others], value[others])
    scores = [
        cohort.evaluate("valid", ("loss", "accuracy")).metrics for cohort in (with_nan, healthy)
    ]
    for metric in ("loss", "accuracy"):
        np.testing.assert_array_equal(scores[0][metric][others], scores[1][metric][others])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_lanes_are_divided_among_threads_in_order(threads):
    network = a_network(dropout=0.25)
    phase = a_phase(network, optimizer={"name": "momentum"})
    backend = entry.open(Settings(precision="float64", threads=threads))
    rate = RANDOM.uniform(0.01, 0.3, (25, -(-ROWS // BATCH)))
    plan = a_plan(network, 25, rate=rate, momentum=1 - rate)
    trace, cohort = trained(backend, network, plan, phase=phase)
    assert len(cohort._groups.members) == threads
    scores = cohort.evaluate("valid", ("loss",), probabilities=True)
    gradient = cohort.gradient(Batch(rows=plan.order[:, :4], noise=plan.noise, step=3))
    for seed in (0, 11, 24):
        lane = rate[seed : seed + 1]
        one = a_plan(network, 1, seed=seed, rate=lane, momentum=1 - lane)
        weights = first_weights(network, 1, seed)
        expected, alone = trained(backend, network, one, phase=phase, weights=weights)
        np.testing.assert_allclose(trace.loss[seed], expected.loss[0], rtol=1e-12)
        lone = alone.evaluate("valid", ("loss",), probabilities=True)
        assert scores.metrics["loss"][seed] == pytest.approx(lone.metrics["loss"][0], rel=1e-12)
        np.testing.assert_allclose(scores.probabilities[seed], lone.probabilities[0], rtol=1e-11)
        slope = alone.gradient(Batch(rows=one.order[:, :4], noise=one.noise, step=3))
        assert distance({k: v[seed : seed + 1] for k, v in gradient.items()}, slope) < 1e-11
    entry.open(Settings())


def test_same_plan_twice_is_bit_identical_and_compiles_nothing(single):
    network = a_network(dropout=0.25)
    plan = a_plan(network, 17, epochs=3)
    one, first = trained(single, network, plan)
    two, second = trained(single, network, plan)
    np.testing.assert_array_equal(one.loss, two.loss)
    assert distance(first.weights(), second.weights()) == 0
    assert (two.compilations, two.compile_seconds) == (0, 0.0)
    assert first.evaluate("train", ("loss",)).compilations == 0
