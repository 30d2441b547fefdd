"""The cohort against closed forms, NumPy and Keras' own training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

from manyseeds.backend.values import Batch, EpochPlan, Split, Splits
from manyseeds.errors import RequestError
from manyseeds.randomness import noise as definition
from manyseeds.randomness import streams
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import network_streams
from manyseeds.techniques.network import Network

ROWS, FEATURES, BATCH = 20, 6, 8


def network(activation="selu", output="softmax", units=3, rate=None):
    drop = [] if rate is None else [{"name": "dropout", "rate": rate}]
    layers = [
        *drop,
        {"name": "dense", "units": 5, "activation": activation},
        *drop,
        {"name": "dense", "units": 4, "activation": activation},
        {"name": "dense", "units": units, "activation": output},
    ]
    return Network.model_validate({"name": "net", "layers": layers})


def phase(net, optimizer="sgd", **options):
    task = Task(name="task", dataset="made", valid=7)
    values = {"name": "p", "task": task, "network": net, "epochs": 1, "rate": 0.1, "batch": BATCH}
    return Phase.model_validate(values | {"optimizer": optimizer} | options)


def splits(kind="classes", rows=ROWS, key=None):
    draw = np.random.default_rng(7)

    def split(n):
        inputs = draw.normal(size=(n, FEATURES))
        labels = draw.normal(size=n) if kind == "targets" else draw.integers(0, 3, n)
        return Split(inputs, labels % 2 if kind == "binary" else labels)

    return Splits(split(rows), split(7), split(300), key or f"{kind}-{rows}")


def first_weights(net, lanes, seed=0):
    """Weights with biases that are not zero, so that a forgotten bias shows."""
    weights = network_streams.initial_weights(net, FEATURES, range(seed, seed + lanes))
    draw = np.random.default_rng(seed)
    return {
        name: 0.1 * draw.normal(size=value.shape) if name.endswith("bias") else value
        for name, value in weights.items()
    }


def keys_of(net, seeds):
    return network_streams.noise_keys(net, {"dropout": seeds, "augment": seeds})


def plan(net, lanes, epoch=0, rows=ROWS, batch=BATCH, momentum=False):
    steps = -(-rows // batch)
    draw = np.random.default_rng(epoch)
    return EpochPlan(
        order=streams.batch_order("task", [np.arange(rows)] * lanes, range(lanes), epoch),
        batch=batch,
        rate=draw.uniform(0.01, 0.1, size=(lanes, steps)),
        momentum=draw.uniform(0.5, 0.95, size=(lanes, steps)) if momentum else None,
        noise=keys_of(net, range(lanes)),
        step=epoch * steps,
    )


def lanes_of(plan, chosen):
    """The same plan for some lanes only."""
    return EpochPlan(
        order=plan.order[chosen],
        batch=plan.batch,
        rate=plan.rate[chosen],
        momentum=None if plan.momentum is None else plan.momentum[chosen],
        noise={label: key[chosen] for label, key in plan.noise.items()},
        step=plan.step,
    )


def begun(backend, net, lanes, optimizer="sgd", kind="classes", weights=None, **options):
    cohort = backend.cohort(net, splits(kind), lanes)
    cohort.begin(phase(net, optimizer, **options), weights or first_weights(net, lanes))
    return cohort


def identical(one, other):
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one | other)


def test_every_step_draws_its_own_noise_the_last_smaller_batch_too(double):
    layers = [{"name": "dropout", "rate": 0.4}, {"name": "dense", "units": 1}]
    net = Network.model_validate({"name": "noisy_line", "layers": layers})
    data, start, epoch = splits("targets").train, first_weights(net, 2), plan(net, 2, 5)
    loss = begun(double, net, 2, kind="targets").train(replace(epoch, rate=0 * epoch.rate)).loss
    for lane, step in np.ndindex(loss.shape):
        rows = epoch.order[lane, step * BATCH : (step + 1) * BATCH]
        keys = epoch.noise["dropout1"][[lane]]
        kept = definition.kept(keys, epoch.step + step, len(rows), FEATURES, 0.4)[0]
        inputs = data.inputs[rows] * kept * definition.keep_scale(0.4)
        outputs = inputs @ start["output/kernel"][lane] + start["output/bias"][lane]
        expected = np.mean((outputs[:, 0] - data.labels[rows]) ** 2)
        assert loss[lane, step] == pytest.approx(expected, rel=1e-12)


def by_equation(kind, theta, gradient, slots, t, rate, momentum):
    """One step of the canonical equations, in plain NumPy."""
    if kind == "sgd":
        return theta - rate * gradient
    if kind in ("momentum", "nesterov"):
        slots["m"] = momentum * slots.get("m", 0) - rate * gradient
        plain = kind == "momentum"
        return theta + (slots["m"] if plain else momentum * slots["m"] - rate * gradient)
    slots["m"] = 0.8 * slots.get("m", 0) + (1 - 0.8) * gradient
    slots["s"] = 0.95 * slots.get("s", 0) + (1 - 0.95) * gradient**2
    unbiased, root = slots["m"] / (1 - 0.8**t), np.sqrt(slots["s"] / (1 - 0.95**t))
    return theta - rate * unbiased / (root + 1e-3)


OPTIMIZERS = {
    "sgd": "sgd",
    "momentum": "momentum",
    "nesterov": "nesterov",
    "adam": {"name": "adam", "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimizers_follow_their_equations_with_a_rate_of_each_lane_and_step(double, kind):
    lanes, epochs = 2, 8  # 24 steps of linear regression, whose gradient is a formula
    net = Network.model_validate({"name": "line", "layers": [{"name": "dense", "units": 1}]})
    cohort = begun(double, net, lanes, OPTIMIZERS[kind], "targets")
    data = splits("targets").train
    theta = {name: value.copy() for name, value in first_weights(net, lanes).items()}
    slots = {(name, lane): {} for name in theta for lane in range(lanes)}
    for epoch in range(epochs):
        epoch_plan = plan(net, lanes, epoch, momentum=kind in ("momentum", "nesterov"))
        trace = cohort.train(epoch_plan)
        for step, lane in np.ndindex(epoch_plan.step_count, lanes):
            rows = epoch_plan.order[lane, step * BATCH : (step + 1) * BATCH]
            inputs = data.inputs[rows]
            error = inputs @ theta["output/kernel"][lane] + theta["output/bias"][lane]
            error -= data.labels[rows, None]
            assert trace.loss[lane, step] == pytest.approx(np.mean(error**2), rel=1e-12)
            gradients = {
                "output/kernel": 2 * inputs.T @ error / len(rows),
                "output/bias": 2 * error.mean(axis=0),
            }
            momentum = 0 if epoch_plan.momentum is None else epoch_plan.momentum[lane, step]
            for name, gradient in gradients.items():
                theta[name][lane] = by_equation(
                    kind,
                    theta[name][lane],
                    gradient,
                    slots[name, lane],
                    3 * epoch + step + 1,
                    epoch_plan.rate[lane, step],
                    momentum,
                )
    for name, value in cohort.weights().items():
        np.testing.assert_allclose(value, theta[name], rtol=1e-11)


def keras_twin(weights, activation):
    """The same network as an ordinary Keras model."""
    options = {"dtype": "float64"}
    model = keras.Sequential(
        [
            keras.layers.Input((FEATURES,), dtype="float64"),
            keras.layers.Dense(5, activation, **options),
            keras.layers.Dense(4, activation, **options),
            keras.layers.Dense(3, "softmax", **options),
        ]
    )
    model.set_weights([value[0] for value in weights.values()])
    model.compile(
        keras.optimizers.SGD(1 / 64),
        keras.losses.SparseCategoricalCrossentropy(dtype="float64"),
        metrics=["accuracy"],
        run_eagerly=True,
    )
    return model


def test_a_solo_lane_is_keras_train_on_batch(double):
    net, data = network("elu"), splits()
    weights = first_weights(net, 1)
    model = keras_twin(weights, "elu")
    cohort = begun(double, net, 1, weights=weights)
    order = plan(net, 1).order  # 8 + 8 + 4 rows: the last, smaller batch is trained on too
    cohort.train(EpochPlan(order, BATCH, np.full((1, 3), 1 / 64), None, {}, 0))
    for start in range(0, ROWS, BATCH):
        rows = order[0, start : start + BATCH]
        model.train_on_batch(data.train.inputs[rows], data.train.labels[rows])
    for result, expected in zip(cohort.weights().values(), model.get_weights(), strict=True):
        np.testing.assert_allclose(result[0], expected, rtol=1e-9, atol=1e-15)
    loss, accuracy = model.evaluate(data.test.inputs, data.test.labels, verbose=0)
    scores = cohort.score(("loss", "accuracy"), probabilities=True)
    assert scores.metrics["loss"][0] == pytest.approx(loss, rel=1e-6)  # Keras averages in float32
    assert scores.metrics["accuracy"][0] == pytest.approx(accuracy, rel=1e-6)
    expected = model(data.test.inputs)  # 300 rows: more than one chunk
    np.testing.assert_allclose(scores.probabilities[0], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("output", "units", "kind"),
    [("softmax", 3, "classes"), ("logistic", 1, "binary"), ("linear", 1, "targets")],
)
def test_the_gradient_is_that_of_finite_differences(double, output, units, kind):
    net = network("tanh", output, units, rate=0.3)
    step, weights = 1e-6, first_weights(net, 1)
    places = [(name, 3 % value[0].size) for name, value in weights.items()]
    lanes = 2 * len(places)  # two lanes a weight: one a little above, one below
    moved = {name: np.repeat(value, lanes, axis=0) for name, value in weights.items()}
    for index, (name, place) in enumerate(places):
        moved[name][2 * index].flat[place] += step
        moved[name][2 * index + 1].flat[place] -= step
    rows = np.tile(np.arange(5, dtype=np.int32), (lanes, 1))
    keys = {label: np.repeat(key, lanes, 0) for label, key in keys_of(net, [3]).items()}
    cohort = begun(double, net, lanes, kind=kind, weights=moved)
    loss = cohort.train(EpochPlan(rows, BATCH, np.zeros((lanes, 1)), None, keys, 2)).loss[:, 0]
    same = {name: np.repeat(value, lanes, axis=0) for name, value in weights.items()}
    cohort.begin(phase(net), same)
    gradient = cohort.gradient(Batch(rows, keys, 2))
    for index, (name, place) in enumerate(places):
        slope = (loss[2 * index] - loss[2 * index + 1]) / (2 * step)
        assert gradient[name][0].flat[place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_binary_accuracy_counts_probabilities_above_one_half(double):
    net = Network.model_validate(
        {"name": "one", "layers": [{"name": "dense", "units": 1, "activation": "logistic"}]}
    )
    inputs = np.zeros((4, FEATURES))
    inputs[:, 0] = [-1.0, 0.0, 0.0, 2.0]
    split = Split(inputs, np.array([1, 0, 0, 1]))
    cohort = double.cohort(net, Splits(split, split, split, "half"), 1)
    kernel = np.zeros((1, FEATURES, 1))
    kernel[0, 0] = 1
    cohort.begin(phase(net), {"output/kernel": kernel, "output/bias": np.zeros((1, 1))})
    scores = cohort.evaluate("valid", ("accuracy", "loss"), probabilities=True)
    assert scores.metrics["accuracy"][0] == 0.75
    probability = 1 / (1 + np.exp(-inputs[:, 0]))
    np.testing.assert_allclose(scores.probabilities[0, :, 0], probability, rtol=1e-14)
    expected = -np.log(np.where(split.labels, probability, 1 - probability)).mean()
    assert scores.metrics["loss"][0] == pytest.approx(expected, rel=1e-13)


def test_a_linear_output_has_no_accuracy(double):
    net = network("relu", "linear", 1)
    cohort = begun(double, net, 2, kind="targets")
    with pytest.raises(RequestError, match="neither accuracy nor probabilities"):
        cohort.evaluate("valid", ("accuracy",))


def test_frozen_layers_stay_and_have_no_gradient(double):
    net = network()
    start = first_weights(net, 2)
    cohort = begun(double, net, 2, "momentum", weights=start, frozen=("hidden1",))
    cohort.train(plan(net, 2))
    end = cohort.weights()
    gradient = cohort.gradient(Batch(np.zeros((2, 4), np.int32)))
    for name in start:
        frozen = name.startswith("hidden1/")
        assert np.array_equal(end[name], start[name]) == frozen
        assert (name in gradient) != frozen


def test_a_second_cohort_and_another_recipe_of_the_structure_compile_nothing(single):
    def network_of(alpha, rate):
        return network({"name": "leaky_relu", "alpha": alpha}, rate=rate)

    def run(net, optimizer, epoch):
        cohort = begun(single, net, 2, optimizer)
        trace = cohort.train(plan(net, 2, epoch))
        assert (trace.compile_seconds > 0) == (trace.compilations > 0)
        counts = [trace.compilations]
        counts += [cohort.evaluate("valid", ("loss",)).compilations]
        counts += [cohort.train(plan(net, 2, epoch + 1)).compilations]
        counts += [cohort.score(("accuracy", "loss")).compilations]
        return counts, cohort.weights()

    adam = {"name": "adam", "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-2}
    counts, first = run(network_of(0.01, 0.2), "adam", 0)
    assert counts == [1, 1, 0, 0]
    counts, second = run(network_of(0.3, 0.5), adam, 0)
    assert counts == [0, 0, 0, 0]
    assert not np.allclose(first["hidden1/kernel"], second["hidden1/kernel"])
    counts, third = run(network_of(0.01, 0.2), "adam", 0)
    assert counts == [0, 0, 0, 0]
    assert identical(first, third)


@pytest.mark.parametrize(
    ("precision", "epochs", "tolerance"), [("single", 4, 1e-5), ("double", 20, 1e-9)]
)
def test_a_lane_is_the_same_training_as_that_seed_alone(precision, epochs, tolerance, request):
    backend = request.getfixturevalue(precision)
    net, lanes = network(rate=0.2), 3
    weights = first_weights(net, lanes)
    together = begun(backend, net, lanes, "nesterov", weights=weights)
    alone = begun(backend, net, 1, "nesterov", weights={k: v[1:2] for k, v in weights.items()})
    for epoch in range(epochs):
        both = plan(net, lanes, epoch, momentum=True)
        trace, solo = together.train(both), alone.train(lanes_of(both, [1]))
        np.testing.assert_allclose(trace.loss[1:2], solo.loss, rtol=tolerance)
    for name, value in alone.weights().items():
        distance = np.linalg.norm(together.weights()[name][1] - value[0])
        assert distance <= tolerance * np.linalg.norm(value)


@pytest.mark.parametrize("activation", ["selu", "relu"])
def test_a_nan_lane_leaves_the_others_bit_identical(single, activation):
    net, lanes = network(activation, rate=0.2), 3
    healthy, ill = first_weights(net, lanes), first_weights(net, lanes)
    ill["hidden2/kernel"][1, 0, 0] = np.nan
    ends, scores = [], []
    for weights in (healthy, ill):
        cohort = begun(single, net, lanes, "nesterov", weights=weights)
        for epoch in range(3):
            trace = cohort.train(plan(net, lanes, epoch))
        ends.append(cohort.weights())
        scores.append(cohort.evaluate("valid", ("loss", "accuracy")).metrics)
    assert np.isnan(trace.loss[1]).all()
    assert np.isfinite(trace.loss[[0, 2]]).all()
    for name in ends[0]:
        np.testing.assert_array_equal(ends[0][name][[0, 2]], ends[1][name][[0, 2]])
    assert np.isnan(scores[1]["loss"][1])
    for name in scores[0]:
        np.testing.assert_array_equal(scores[0][name][[0, 2]], scores[1][name][[0, 2]])


def test_the_same_plan_twice_is_bit_identical_and_cohorts_are_independent(single):
    net = network(rate=0.2)
    one, other = (begun(single, net, 3, "nesterov") for _ in range(2))
    for epoch in range(3):  # taken in turns, of one program: each has its own weights and slots
        traces = [cohort.train(plan(net, 3, epoch)).loss for cohort in (one, other)]
        np.testing.assert_array_equal(*traces)
    assert identical(one.weights(), other.weights())


def test_weights_in_and_out_are_copies(single):
    net, start = network(), first_weights(network(), 2)
    before = {name: value.copy() for name, value in start.items()}
    cohort = begun(single, net, 2, weights=start)
    taken = cohort.weights()
    kept = {name: value.copy() for name, value in taken.items()}
    cohort.train(plan(net, 2))
    assert identical(start, before)
    assert identical(taken, kept)
    assert not identical(cohort.weights(), kept)


@pytest.mark.parametrize("precision", ["single", "double"])
def test_weights_have_the_requested_precision(precision, request):
    cohort = begun(request.getfixturevalue(precision), network(), 2)
    expected = {"single": np.float32, "double": np.float64}[precision]
    assert {value.dtype.type for value in cohort.weights().values()} == {expected}
