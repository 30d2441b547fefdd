"""The NumPy reference: clipping, penalties, max-norm and zeros within a training step."""

import numpy as np
import pytest
from manyseeds_numpy.clipping import clipped
from pydantic import TypeAdapter

from manyseeds.backend.values import Batch
from manyseeds.techniques.clipping import Clipping
from tests.backend.numpy_cohorts import (
    BATCH,
    ROWS,
    SOFTMAX,
    dense,
    general_weights,
    make_cohort,
    network,
    phase,
    plan,
)


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("clip_value", [[0.9, 1.0], [0.3, 0.4]], [[1.0], [0.0]]),
        ("clip_norm", [[0.00899964, 0.9999595], [0.3, 0.4]], [[1.0], [0.0]]),
        ("global_clip_norm", [[0.009, 1.0], [0.3, 0.4]], [[2.0], [0.0]]),
    ],
)
def test_gradients_are_clipped_lane_by_lane(name, a, b):
    limit = {"global_clip_norm": np.sqrt(0.9**2 + 100**2 + 200**2) / 100}.get(name, 1.0)
    gradients = {"a": np.array([[0.9, 100.0], [0.3, 0.4]]), "b": np.array([[200.0], [0.0]])}
    wanted = TypeAdapter(Clipping).validate_python({"name": name, "limit": float(limit)})
    with np.errstate(divide="ignore"):
        found = clipped(wanted, gradients)
    np.testing.assert_allclose(found["a"], a, rtol=1e-6)
    np.testing.assert_allclose(found["b"], b, rtol=1e-6)


def test_the_penalised_gradient_is_clipped_in_the_step_and_reported_unclipped():
    net = network(dense(penalty={"name": "l2", "l2": 0.5}))
    cohort = make_cohort(phase(net, clipping="global_clip_norm"), general_weights(net, lanes=2))
    order, before = np.tile(np.arange(BATCH), (2, 1)), cohort.weights()
    gradient = cohort.gradient(Batch(order.astype(np.int32)))
    norms = [np.sqrt(sum((g[lane] ** 2).sum() for g in gradient.values())) for lane in range(2)]
    assert min(norms) > 1
    cohort.train(plan(net, order, rate=0.3))
    for name, g in gradient.items():
        expected = before[name] - 0.3 * g / np.reshape(norms, (2,) + (1,) * (g.ndim - 1))
        np.testing.assert_allclose(cohort.weights()[name], expected, rtol=1e-12)


def test_penalties_are_reported_apart_including_those_of_frozen_layers():
    net = network(
        dense(penalty={"name": "l1", "l1": 0.5}), output=SOFTMAX | {"penalty": {"name": "l2"}}
    )
    weights, order = general_weights(net, lanes=2), np.tile(np.arange(BATCH), (2, 1))
    trace = make_cohort(phase(net, frozen=("hidden1",)), weights).train(plan(net, order))
    sizes = 0.5 * np.abs(weights["hidden1/kernel"]).sum(axis=(1, 2))
    squares = 0.01 * (weights["output/kernel"] ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(trace.penalty[:, 0], sizes + squares, rtol=1e-12)
    plain = make_cohort(phase(network(dense())), weights).train(plan(net, order))
    assert (plain.loss == trace.loss).all()
    assert plain.penalty is None


def test_max_norm_rescales_the_units_beyond_it_and_no_others():
    net, free = network(dense(max_norm={"radius": 1.35}), dense()), network(dense(), dense())
    weights, order = general_weights(net), np.arange(BATCH)[None]
    ours, theirs = make_cohort(phase(net), weights), make_cohort(phase(free), weights)
    for each in (ours, theirs):
        each.train(plan(net, order))
    kernel, before = ours.weights()["hidden1/kernel"][0], theirs.weights()["hidden1/kernel"][0]
    norms = np.linalg.norm(before, axis=0)
    assert (norms > 1.35).any()
    assert (norms < 1.35).any()
    np.testing.assert_allclose(kernel, before * np.minimum(1, 1.35 / norms), rtol=1e-12)
    assert (ours.weights()["hidden2/kernel"] == theirs.weights()["hidden2/kernel"]).all()
    frozen = make_cohort(phase(net, frozen=("hidden1",)), weights)
    frozen.train(plan(net, order))
    assert (frozen.weights()["hidden1/kernel"] == weights["hidden1/kernel"]).all()


def test_zeros_are_kept_if_the_phase_says_so():
    net = network(dense())
    weights = general_weights(net)
    weights["hidden1/kernel"][:, ::2] = 0
    weights["hidden1/bias"][:] = 0
    for kept in (True, False):
        cohort = make_cohort(phase(net, "momentum", keep_zeros=kept), weights)
        cohort.train(plan(net, np.arange(ROWS)[None], momentum=0.9))
        assert (cohort.weights()["hidden1/kernel"][:, ::2] == 0).all() == kept
        assert (cohort.weights()["hidden1/kernel"][:, 1::2] != 0).all()
        assert (cohort.weights()["hidden1/bias"] != 0).any()
