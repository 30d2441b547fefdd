"""The NumPy reference: its gradients are those of finite differences."""

import numpy as np
import pytest
from manyseeds_numpy.activations import activate, derivative
from pydantic import TypeAdapter

from manyseeds.backend.values import Batch
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE, Activation
from manyseeds.techniques.network_streams import image_changes
from tests.backend.numpy_cohorts import (
    BATCH,
    EVERYTHING,
    FEATURES,
    STACKS,
    dense,
    general_weights,
    keys,
    make_cohort,
    network,
    phase,
    plan,
)


def differences(training_phase, weights, batch):
    """Return central differences of the training loss; every lane nudges another number."""
    step, found = 1e-5, {}
    for name in training_phase.network.trained(training_phase.frozen):
        count = weights[name].size
        nudges = np.concatenate([np.eye(count), -np.eye(count)]) * step
        nudged = {n: np.repeat(w, 2 * count, axis=0) for n, w in weights.items()}
        nudged[name] = nudged[name] + nudges.reshape(-1, *weights[name].shape[1:])
        lanes = [0] * (2 * count)
        changes = None if batch.changes is None else batch.changes[lanes]
        epoch = plan(training_phase.network, batch.rows[lanes], rate=0.0, seeds=[3] * len(lanes),
                     step=batch.step, changes=changes)  # fmt: skip
        trace = make_cohort(training_phase, nudged).train(epoch)
        loss = trace.loss[:, 0] + (0 if trace.penalty is None else trace.penalty[:, 0])
        found[name] = ((loss[:count] - loss[count:]) / (2 * step)).reshape(weights[name].shape)
    return found


def assert_gradient(net, changes=None, **fields):
    training_phase, weights = phase(net, **fields), general_weights(net)
    rows = np.arange(BATCH, dtype=np.int32)[None]
    batch = Batch(rows, keys(net, [3]), step=7, changes=changes)
    found, expected = (
        make_cohort(training_phase, weights).gradient(batch),
        differences(training_phase, weights, batch),
    )
    assert list(found) == list(expected) == list(net.trained(training_phase.frozen))
    for name, values in expected.items():
        assert np.linalg.norm(values) > 0, name
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-8, err_msg=name)


ACTIVATIONS = (
    *("linear", "logistic", "tanh", "relu", "leaky_relu", "rrelu", "prelu", "elu", "selu"),
    *("softplus", {"name": "elu", "alpha": 0.4}, {"name": "rrelu", "lower": 0.3, "upper": 0.9}),
)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_gradients_through_an_activation_are_those_of_differences(activation):
    assert_gradient(network(dense(activation=activation), dense(activation=activation)))


@pytest.mark.parametrize("stack", STACKS)
def test_gradients_through_layers_are_those_of_differences(stack):
    assert_gradient(network(*STACKS[stack]))


@pytest.mark.parametrize("output", ["softmax", "logistic", "linear"])
def test_gradients_of_every_loss_are_those_of_differences(output):
    units = 3 if output == "softmax" else 1
    assert_gradient(network(*STACKS["everything"], output=dense(units, output, penalty="l1_l2")))


@pytest.mark.parametrize("frozen", ["batch_norm1", "hidden1", "batch_norm2", "hidden2"])
def test_gradients_below_and_above_a_frozen_layer_are_those_of_differences(frozen):
    assert_gradient(EVERYTHING, frozen=(frozen,))


def test_gradients_on_changed_images_are_those_of_differences():
    kinds = phase(EVERYTHING, augmentation=("rotate", "shift", "contrast")).augmentation
    assert_gradient(EVERYTHING, changes=image_changes("task", kinds, [3], 0, BATCH, FEATURES))


@pytest.mark.parametrize(
    ("activation", "slope"),
    [("relu", 0), ("leaky_relu", 0.01), ("elu", 1), ({"name": "elu", "alpha": 0.4}, 0.4),
     ("selu", SELU_SCALE * SELU_ALPHA), ("prelu", 0.7), ("rrelu", 0.7)],
    ids=str,
)  # fmt: skip
def test_the_derivative_at_0_is_that_of_the_negative_branch(activation, slope):
    function = TypeAdapter(Activation).validate_python(activation)
    below = slope if function.name != "elu" else 0.0
    assert derivative(function, np.zeros(1), below) == pytest.approx(slope, abs=1e-15)
    assert activate(function, np.zeros(1), below) == 0


def test_the_derivative_of_the_size_of_a_weight_at_0_is_0():
    net = network(dense(penalty={"name": "l1", "l1": 0.5}))
    weights = general_weights(net) | {"hidden1/kernel": np.zeros((1, FEATURES, 4))}
    with_penalty, without = (
        make_cohort(phase(variant), weights) for variant in (net, network(dense()))
    )
    batch = Batch(np.arange(BATCH, dtype=np.int32)[None])
    for name, values in with_penalty.gradient(batch).items():
        assert (values == without.gradient(batch)[name]).all()
