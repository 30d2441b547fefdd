"""Diagnostics: what is recorded of the inside of a network, by the driver, on NumPy."""

import numpy as np
import pytest
from manyseeds_numpy.training import NumpyBackend

from manyseeds.backend.settings import Settings
from manyseeds.datasets import task_splits
from manyseeds.execution.phase import train_phase
from manyseeds.execution.state import State
from manyseeds.randomness.lanes import seeds_of
from manyseeds.suite.recipe import Phase, Recipe

LANES = seeds_of(range(2), ("init", "order", "dropout", "augment"))
OUTPUT = {"name": "dense", "units": 10, "activation": "softmax"}
TASK = {"name": "t", "dataset": "digits", "valid": 200, "train": 64}
PLAIN = {"output_mean", "output_sd", "dead", "gradient_norm", "zero_share"}


def dense(units=6, **fields):
    return {"name": "dense", "units": units, "activation": "relu", **fields}


def state_of(*layers, spoil=None, **fields):
    """Train and return the state; `spoil` changes the first weights."""
    given = {"epochs": 2, "rate": 0.01, "diagnostics": True} | fields
    network = {"name": "net", "layers": (*layers, OUTPUT)}
    phase = Phase(name="train", task=TASK, network=network, **given)
    data = task_splits(phase.task, "float64")
    cohort = NumpyBackend(Settings(precision="float64")).cohort(phase.network, data, 2)
    begin = cohort.begin
    if spoil:
        cohort.begin = lambda phase, weights: begin(phase, spoil(dict(weights)))
    recipe = Recipe(name="recipe", phases=(phase,))
    return train_phase(cohort, recipe, State.start(2), data, LANES, lambda _: None), data


def by_key(state):
    return {(d.epoch, d.layer, d.quantity): d.values for d in state.diagnoses}


def test_every_layer_is_looked_at_before_the_first_epoch_and_after_every_one():
    state, _ = state_of(dense(), dense(4))
    assert {(d.epoch, d.layer, d.quantity) for d in state.diagnoses} == {
        (epoch, layer, quantity)
        for epoch in (0, 1, 2)
        for layer in ("hidden1", "hidden2", "output")
        for quantity in PLAIN
    }
    assert len(state.diagnoses) == 3 * 3 * 5
    assert {(d.phase, d.step, d.values.shape) for d in state.diagnoses} == {("train", None, (2,))}


def test_nothing_is_recorded_where_it_is_not_asked_for():
    assert state_of(dense(), diagnostics=False)[0].diagnoses == ()


def test_looking_changes_nothing():
    stack = (dense(), {"name": "batch_norm"}, {"name": "dropout", "rate": 0.3})
    (one, _), (two, _) = (state_of(*stack, diagnostics=asked) for asked in (True, False))
    for name in one.weights:
        np.testing.assert_array_equal(one.weights[name], two.weights[name])


def test_outputs_and_gradients_are_those_of_the_definitions():
    """A linear model: the softmax of x W + b, its moments and its gradient by hand."""
    state, data = state_of(rate=1e-9, epochs=1, batch=64)
    found = by_key(state)
    x, labels = data.train.inputs[:64], data.train.labels[:64]
    kernel = state.weights["output/kernel"]
    for lane in range(2):
        logits = x @ kernel[lane]
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        moments = chances.mean(axis=0).mean(), chances.std(axis=0).mean()
        assert found[0, "output", "output_mean"][lane] == pytest.approx(moments[0], rel=1e-6)
        assert found[0, "output", "output_sd"][lane] == pytest.approx(moments[1], rel=1e-6)
        slope = (chances - np.eye(10)[labels]) / 64
        norm = np.sqrt(((x.T @ slope) ** 2).sum() + (slope.sum(axis=0) ** 2).sum())
        assert found[0, "output", "gradient_norm"][lane] == pytest.approx(norm, rel=1e-6)


def test_dead_units_and_zero_weights_are_counted_lane_by_lane():
    def spoil(weights):
        bias = weights["hidden1/bias"].copy()
        bias[1, :4] = -1e6  # four of eight units of the second lane never answer
        kernel = weights["hidden1/kernel"].copy()
        kernel[0, :16] = 0  # a quarter of the first lane's weights
        return weights | {"hidden1/bias": bias, "hidden1/kernel": kernel}

    state, data = state_of(dense(8), spoil=spoil)
    found = by_key(state)
    x = data.train.inputs[:64]
    for epoch in (0, 1, 2):
        assert found[epoch, "hidden1", "dead"][1] >= 0.5
    alive = (np.maximum(x @ state.weights["hidden1/kernel"][0], 0) != 0).any(axis=0)
    assert found[2, "hidden1", "dead"][0] == pytest.approx(1 - alive.mean(), abs=0.126)
    assert found[0, "hidden1", "zero_share"].tolist() == [0.25, 0.0]
    assert found[0, "output", "zero_share"].tolist() == [0, 0]


def test_training_mode_is_looked_at_where_it_is_another():
    state, _ = state_of(dense(), {"name": "dropout", "rate": 0.5})
    found = by_key(state)
    quantities = {quantity for _, _, quantity in found}
    assert quantities == PLAIN | {"training_mean", "training_sd"}
    # Inverted dropout keeps the mean and adds spread; below it nothing differs.
    for epoch in (0, 1, 2):
        below = [found[epoch, "hidden1", f"{mode}_sd"] for mode in ("output", "training")]
        np.testing.assert_allclose(*below, rtol=1e-12)
        dropped = [found[epoch, "dropout1", f"{mode}_sd"] for mode in ("output", "training")]
        assert (dropped[1] > dropped[0]).all()


def test_batch_norm_gives_zero_mean_and_unit_variance_in_training():
    state, data = state_of(dense(activation="tanh"), {"name": "batch_norm"}, rate=1e-9)
    found = by_key(state)
    assert found[0, "batch_norm1", "training_mean"] == pytest.approx([0, 0], abs=1e-12)
    variance = np.tanh(data.train.inputs[:64] @ state.weights["hidden1/kernel"]).var(axis=1)
    expected = np.sqrt(variance / (variance + 1e-3)).mean(axis=1)  # epsilon is beside it
    assert found[0, "batch_norm1", "training_sd"] == pytest.approx(expected, rel=1e-6)
    assert "gradient_norm" in {q for _, layer, q in found if layer == "batch_norm1"}


def test_a_range_test_records_every_step():
    state, _ = state_of(
        *(dense(),),
        diagnostics=False,
        optimizer="momentum",
        rate=1e-4,
        epochs=3,
        schedule={"name": "range_test", "highest": 1.0},
    )
    steps = {
        q: [d for d in state.diagnoses if d.quantity == q] for q in ("rate", "loss", "momentum")
    }
    assert sum(map(len, steps.values())) == len(state.diagnoses) == 3 * 6
    assert all([d.step for d in each] == list(range(6)) for each in steps.values())
    rates = np.array([d.values for d in steps["rate"]])
    assert rates == pytest.approx(np.repeat(1e-4 * 1e4 ** (np.arange(6)[:, None] / 6), 2, axis=1))
    assert {d.values[0] for d in steps["momentum"]} == {0.9}
    losses = np.array([d.values for d in steps["loss"]]).reshape(3, 2, 2).mean(axis=1)
    np.testing.assert_allclose(losses, [curve.values["train_loss"] for curve in state.curves])
