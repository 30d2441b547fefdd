"""PyTorch's training of the dense network, against plain models and closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from manyseeds.backend.values import Batch
from manyseeds.randomness import noise as reference

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from tests.backends.pytorch.closed_forms import FORMS  # noqa: E402
from tests.backends.pytorch.dense_toy import (  # noqa: E402
    BATCH,
    FEATURES,
    a_network,
    a_phase,
    a_plan,
    first_weights,
    some_data,
    trained,
)
from tests.backends.pytorch.distance import distance  # noqa: E402
from tests.backends.pytorch.plain_model import plain_epoch, plain_weights, sequential  # noqa: E402


@pytest.mark.parametrize(
    ("output", "units", "loss"),
    [
        ("softmax", 3, torch.nn.CrossEntropyLoss()),
        ("logistic", 1, lambda z, y: torch.nn.BCEWithLogitsLoss()(z[:, 0], y.double())),
        ("linear", 1, torch.nn.MSELoss()),
    ],
)
def test_every_lane_is_the_plain_model_with_its_last_smaller_batch(double, output, units, loss):
    network, data = a_network(output, units), some_data(output, units)
    plan = a_plan(network, 3)
    trace, cohort = trained(double, network, plan, data=data)
    assert plan.order.shape[1] % BATCH
    for lane in range(3):
        model = sequential(first_weights(network, 3), torch.nn.SELU, lane)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        losses = plain_epoch(model, optimizer, plan.order[lane], loss, data)
        np.testing.assert_allclose(trace.loss[lane], losses, rtol=1e-12)
        mine = {name: value[lane : lane + 1] for name, value in cohort.weights().items()}
        assert distance(mine, plain_weights(model)) < 1e-12
        with torch.no_grad():
            expected = loss(model(torch.tensor(data.valid.inputs)), torch.tensor(data.valid.labels))
        scores = cohort.evaluate("valid", ("loss",))
        assert scores.metrics["loss"][lane] == pytest.approx(expected.item(), rel=1e-12)


def test_dropout_drops_the_inputs_of_the_definition(double):
    network, lanes = a_network(dropout=0.3), 2
    plan = a_plan(network, lanes, first=2)
    weights, data = first_weights(network, lanes), some_data()
    trace, _ = trained(double, network, plan, weights=weights)
    rows = plan.order[:, :BATCH]
    inputs, labels = data.train.inputs[rows], data.train.labels[rows]

    def dropped(values, label):
        mask = reference.kept(plan.noise[label], plan.step, BATCH, values.shape[2], 0.3)
        return values * mask * reference.keep_scale(0.3)

    def dense(values, label):
        return values @ weights[f"{label}/kernel"] + weights[f"{label}/bias"][:, None]

    values = FORMS["selu"][0](dense(dropped(inputs, "dropout1"), "hidden1"))
    logits = dense(np.tanh(dense(dropped(values, "dropout2"), "hidden2")), "output")
    chances = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    losses = -np.log(np.take_along_axis(chances, labels[..., None], 2))[..., 0].mean(1)
    np.testing.assert_allclose(trace.loss[:, 0], losses, rtol=1e-12)


@pytest.mark.parametrize(
    ("output", "units", "dropout"),
    [("softmax", 3, None), ("softmax", 3, 0.4), ("logistic", 1, None), ("linear", 1, 0.4)],
)
def test_gradient_is_the_slope_of_the_loss(double, output, units, dropout):
    network, data = a_network(output, units, dropout=dropout), some_data(output, units)
    weights = {name: value + 0.01 for name, value in first_weights(network, 2).items()}
    cohort = double.cohort(network, data, 2)
    plan = a_plan(network, 2)
    batch = Batch(rows=plan.order[:, :BATCH], noise=plan.noise, step=4)
    probe = replace(plan, order=batch.rows, rate=np.zeros((2, 1)), step=4)

    def loss_at(name, index, shift):
        moved = weights | {name: weights[name].copy()}
        moved[name][(slice(None), *index)] += shift
        cohort.begin(a_phase(network), moved)
        return cohort.train(probe).loss[:, 0]

    cohort.begin(a_phase(network), weights)
    gradient = cohort.gradient(batch)
    assert list(gradient) == list(weights)
    for name, value in weights.items():
        assert gradient[name].shape == value.shape
        index = tuple(size // 2 for size in value.shape[1:])
        slope = (loss_at(name, index, 1e-6) - loss_at(name, index, -1e-6)) / 2e-6
        own = gradient[name][(slice(None), *index)]
        np.testing.assert_allclose(own, slope, rtol=1e-6, atol=1e-9)


def test_gradient_leaves_training_as_it_was(double):
    network = a_network()
    phase = a_phase(network, optimizer={"name": "momentum"})
    plan = a_plan(network, 2, momentum=0.9)
    _, cohort = trained(double, network, plan, phase=phase)
    _, observed = trained(double, network, plan, phase=phase)
    observed.gradient(Batch(rows=plan.order[:, :3]))
    np.testing.assert_array_equal(cohort.train(plan).loss, observed.train(plan).loss)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_frozen_layers_stay_bit_identical_and_have_no_gradient(single, name):
    network = a_network()
    phase = a_phase(network, frozen=("hidden1", "output"), optimizer={"name": name})
    plan = a_plan(network, 2)
    _, cohort = trained(single, network, plan, phase=phase)
    first, after = first_weights(network, 2), cohort.weights()
    for key, value in after.items():
        assert value.dtype == np.float32
        moved = not np.array_equal(value, first[key].astype(np.float32))
        assert moved == key.startswith("hidden2")
    assert set(cohort.gradient(Batch(rows=plan.order[:, :4]))) == {"hidden2/kernel", "hidden2/bias"}


def test_layers_thaw_in_the_next_phase_with_a_fresh_optimizer(double):
    network = a_network()
    plan = a_plan(network, 2, momentum=0.9)
    momentum = {"name": "momentum"}
    frozen = a_phase(network, frozen=("hidden1",), optimizer=momentum)
    _, cohort = trained(double, network, plan, phase=frozen)
    between = cohort.weights()
    cohort.begin(a_phase(network, optimizer=momentum), between)
    second = cohort.train(plan)
    fresh, other = trained(
        double, network, plan, phase=a_phase(network, optimizer=momentum), weights=between
    )
    np.testing.assert_array_equal(second.loss, fresh.loss)
    assert distance(cohort.weights(), other.weights()) == 0


def test_weights_are_copies(double):
    network = a_network()
    plan = a_plan(network, 2)
    _, cohort = trained(double, network, plan)
    before = cohort.weights()
    copies = {name: value.copy() for name, value in before.items()}
    cohort.train(plan)
    assert distance(before, copies) == 0
    assert distance(cohort.weights(), copies) > 1e-6


def test_hyperparameters_of_a_phase_take_effect(double):
    gentle = a_network(activation={"name": "leaky_relu", "alpha": 0.01}, dropout=0.1)
    harsh = a_network(activation={"name": "leaky_relu", "alpha": 0.3}, dropout=0.5)
    plan = a_plan(gentle, 2)
    cohort = double.cohort(gentle, some_data(), 2)
    cohort.begin(a_phase(gentle), first_weights(gentle, 2))
    cohort.train(plan)
    cohort.begin(a_phase(harsh), first_weights(harsh, 2))
    expected, _ = trained(double, harsh, plan)
    np.testing.assert_array_equal(cohort.train(plan).loss, expected.loss)


def test_a_dense_layer_may_have_no_bias(double):
    network = a_network(bias=False)
    _, cohort = trained(double, network, a_plan(network, 2))
    assert list(cohort.weights()) == list(network.shapes(FEATURES))
