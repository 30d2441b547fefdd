"""The NumPy reference: its gradients against finite differences, the rest against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from manyseeds_numpy.activations import activate, derivative
from manyseeds_numpy.clipping import clipped
from manyseeds_numpy.layers import Mode, forward
from manyseeds_numpy.optimizers import LaneOptimizer
from manyseeds_numpy.training import NumpyBackend
from pydantic import TypeAdapter

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Batch, EpochPlan, Sampling, Split, Splits
from manyseeds.randomness import noise
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE, Activation
from manyseeds.techniques.augmentation import augmented
from manyseeds.techniques.clipping import Clipping
from manyseeds.techniques.layers import AlphaDropout, BatchNorm, GaussianNoise
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import image_changes, initial_weights, noise_keys
from manyseeds.techniques.optimizers import Optimizer

FEATURES, ROWS, BATCH = 9, 23, 8
GENERATOR = np.random.default_rng(0)
CLASSES = GENERATOR.integers(0, 3, ROWS)
LABELS = {"softmax": CLASSES, "logistic": CLASSES % 2, "linear": GENERATOR.normal(size=ROWS)}
INPUTS = GENERATOR.normal(size=(ROWS, FEATURES))
SOFTMAX = {"name": "dense", "units": 3, "activation": "softmax"}


def dense(units=4, activation="tanh", **fields):
    return {"name": "dense", "units": units, "activation": activation, **fields}


def network(*layers, output=SOFTMAX):
    return Network(name="net", layers=(*layers, output))


def data(kind="softmax", dtype=np.float64, inputs=INPUTS, labels=None):
    labels = LABELS[kind] if labels is None else labels
    split = Split(inputs.astype(dtype), labels)
    return Splits(split, split, split, key="made up")


def phase(net, optimizer="sgd", **fields):
    given = {"epochs": 1, "rate": 0.1, "batch": BATCH} | fields
    return Phase(
        name="phase", task=Task(name="task", dataset="x"), network=net, optimizer=optimizer, **given
    )


def keys(net, seeds):
    return noise_keys(net, {"dropout": seeds, "augment": seeds})


def cohort(asked, weights, splits=None, precision="float64"):
    """Return a cohort that has begun a phase; its lanes are those of the weights."""
    lanes = len(next(iter(weights.values())))
    if splits is None:
        splits = data(asked.network.output.activation.name, precision)
    found = NumpyBackend(Settings(precision=precision)).cohort(asked.network, splits, lanes)
    found.begin(asked, weights)
    return found


def plan(net, order, batch=BATCH, rate=0.1, momentum=None, seeds=None, step=0, changes=None):
    lanes, rows = order.shape
    every = np.ones((lanes, -(-rows // batch)))
    return EpochPlan(
        order=order.astype(np.int32),
        batch=batch,
        rate=rate * every,
        momentum=None if momentum is None else momentum * every,
        noise=keys(net, range(lanes) if seeds is None else seeds),
        step=step,
        changes=changes,
    )


def somewhere(net, lanes=1, seed=1):
    """Return weights in general position: no variable has its initial value."""
    generator = np.random.default_rng(seed)
    drawn = initial_weights(net, FEATURES, range(lanes))
    moved = {n: w + 0.3 * generator.normal(size=w.shape) for n, w in drawn.items()}
    return {n: np.abs(w) + 0.1 if n.endswith("variance") else w for n, w in moved.items()}


# ---------------------------------------------------------------- gradients


def differences(asked, weights, batch):
    """Return central differences of the training loss; every lane nudges another number."""
    step, found = 1e-5, {}
    for name in asked.network.trained(asked.frozen):
        count = weights[name].size
        nudges = np.concatenate([np.eye(count), -np.eye(count)]) * step
        nudged = {n: np.repeat(w, 2 * count, axis=0) for n, w in weights.items()}
        nudged[name] = nudged[name] + nudges.reshape(-1, *weights[name].shape[1:])
        lanes = [0] * (2 * count)
        changes = None if batch.changes is None else batch.changes[lanes]
        epoch = plan(asked.network, batch.rows[lanes], rate=0.0, seeds=[3] * len(lanes),
                     step=batch.step, changes=changes)  # fmt: skip
        trace = cohort(asked, nudged).train(epoch)
        loss = trace.loss[:, 0] + (0 if trace.penalty is None else trace.penalty[:, 0])
        found[name] = ((loss[:count] - loss[count:]) / (2 * step)).reshape(weights[name].shape)
    return found


def assert_gradient(net, changes=None, **fields):
    asked, weights = phase(net, **fields), somewhere(net)
    rows = np.arange(BATCH, dtype=np.int32)[None]
    batch = Batch(rows, keys(net, [3]), step=7, changes=changes)
    found, expected = cohort(asked, weights).gradient(batch), differences(asked, weights, batch)
    assert list(found) == list(expected) == list(net.trained(asked.frozen))
    for name, values in expected.items():
        assert np.linalg.norm(values) > 0, name
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-8, err_msg=name)


ACTIVATIONS = (
    *("linear", "logistic", "tanh", "relu", "leaky_relu", "rrelu", "prelu", "elu", "selu"),
    *("softplus", {"name": "elu", "alpha": 0.4}, {"name": "rrelu", "lower": 0.3, "upper": 0.9}),
)
STACKS = {
    "batch norm first": ["batch_norm", dense()],
    "batch norm after": [dense(), "batch_norm", dense()],
    "batch norm before": [
        dense(bias=False, activation="linear"), "batch_norm",
        {"name": "activation", "function": "prelu"},
    ],
    "dropout": [{"name": "dropout", "rate": 0.2}, dense(), {"name": "dropout", "rate": 0.5}],
    "alpha dropout": [dense(activation="selu"), {"name": "alpha_dropout", "rate": 0.4}, dense()],
    "white noise": [{"name": "gaussian_noise", "sd": 0.5}, dense(), "gaussian_noise"],
    "skips": [
        dense(FEATURES), {"name": "skip", "of": "input"}, dense(), dense(),
        {"name": "skip", "of": "hidden2"}, dense(), {"name": "skip", "of": "hidden2"},
    ],
    "skip of a skip": [
        dense(), dense(), {"name": "skip", "of": "hidden1"}, {"name": "skip", "of": "skip1"},
        {"name": "dropout", "rate": 0.3}, {"name": "skip", "of": "dropout1"},
    ],
    "scale": [dense(), "scale", dense(), "scale"],
    "drop connect": [
        dense(drop_connect={"rate": 0.4}), dense(bias=False, drop_connect={"rate": 0.1})
    ],
    "penalties": [dense(penalty="l1"), dense(penalty="l2"), dense(penalty="l1_l2")],
    "max-norm": [dense(max_norm={"radius": 0.1})],
    "everything": [
        "batch_norm", {"name": "dropout", "rate": 0.1}, "gaussian_noise",
        dense(bias=False, penalty="l2", drop_connect={"rate": 0.2}), "batch_norm",
        {"name": "activation", "function": "rrelu"}, dense(activation="prelu"), "scale",
        {"name": "skip", "of": "activation1"}, {"name": "alpha_dropout", "rate": 0.4},
    ],
}  # fmt: skip
EVERYTHING = network(
    *STACKS["everything"], output=SOFTMAX | {"penalty": "l1", "max_norm": {"radius": 1.0}}
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
    with_penalty, without = (
        cohort(phase(each), dict(somewhere(net)) | {"hidden1/kernel": np.zeros((1, FEATURES, 4))})
        for each in (net, network(dense()))
    )
    batch = Batch(np.arange(BATCH, dtype=np.int32)[None])
    for name, values in with_penalty.gradient(batch).items():
        assert (values == without.gradient(batch)[name]).all()


# ---------------------------------------------------------------- layers


def test_batch_norm_is_its_definition_in_training_and_moves_its_averages():
    layer = BatchNorm(label="b", momentum=0.9, epsilon=0.01)
    x = np.random.default_rng(2).normal(3, 2, (2, 50, 4))
    first = {"gamma": 1.5, "beta": -0.5, "moving_mean": 7.0, "moving_variance": 5.0}
    own = {name: np.full((2, 4), value) for name, value in first.items()}
    passed = forward(layer, x, own, Mode(learning=frozenset("b")))
    variance = x.var(axis=1)
    np.testing.assert_allclose(passed.values.mean(axis=1), -0.5, atol=1e-12)
    np.testing.assert_allclose(
        passed.values.var(axis=1), 1.5**2 * variance / (variance + 0.01), rtol=1e-12
    )
    np.testing.assert_allclose(passed.moved["moving_mean"], 6.3 + 0.1 * x.mean(axis=1))
    np.testing.assert_allclose(passed.moved["moving_variance"], 4.5 + 0.1 * variance)
    predicted = forward(layer, x, own, Mode())
    np.testing.assert_allclose(predicted.values, 1.5 * (x - 7) / np.sqrt(5.01) - 0.5)
    assert not predicted.moved


def test_batch_norm_counts_the_rows_of_a_smaller_last_batch_and_moves_in_training_alone():
    net = network({"name": "batch_norm", "momentum": 0.5})
    weights, order = initial_weights(net, FEATURES, [0]), np.arange(ROWS)[None]
    asked = cohort(phase(net), weights)
    asked.gradient(Batch(order.astype(np.int32)))
    asked.evaluate("valid", ("loss",))
    asked.activity(Batch(order.astype(np.int32)), training=True)
    assert (asked.weights()["batch_norm1/moving_mean"] == 0).all()
    asked.train(plan(net, order))
    mean, variance = np.zeros(FEATURES), np.ones(FEATURES)
    for rows in (INPUTS[:8], INPUTS[8:16], INPUTS[16:]):
        mean, variance = (mean + rows.mean(axis=0)) / 2, (variance + rows.var(axis=0)) / 2
    np.testing.assert_allclose(asked.weights()["batch_norm1/moving_mean"][0], mean)
    np.testing.assert_allclose(asked.weights()["batch_norm1/moving_variance"][0], variance)


def test_a_frozen_batch_norm_is_as_in_prediction_and_stays():
    net = network("batch_norm", dense(), "batch_norm")
    asked = cohort(phase(net, frozen=("batch_norm1",)), somewhere(net))
    before, epoch = asked.weights(), plan(net, np.arange(ROWS)[None])
    asked.train(epoch)
    for name, values in asked.weights().items():
        assert (values == before[name]).all() == name.startswith("batch_norm1"), name
    batch = Batch(epoch.order)
    trained, predicted = (asked.activity(batch, training=mode) for mode in (True, False))
    assert trained["batch_norm1"].sd == predicted["batch_norm1"].sd
    assert trained["batch_norm2"].sd != predicted["batch_norm2"].sd


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance_under_selu(rate):
    z = np.random.default_rng(3).normal(size=(2, 1000, 300))
    x = SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0)))
    layer = AlphaDropout(label="a", rate=rate)
    key = np.array([[1, 2], [3, 4]], np.uint32)
    found = forward(layer, x, {}, Mode(noise={"a": key})).values
    np.testing.assert_allclose(found.mean(axis=(1, 2)), 0, atol=0.01)
    np.testing.assert_allclose(found.var(axis=(1, 2)), 1, atol=0.01)
    share = (found == found.min()).mean()
    assert share == pytest.approx(rate, abs=0.005)
    assert (forward(layer, x, {}, Mode()).values == x).all()


def test_white_noise_is_the_published_normals():
    key, x = np.array([[1, 2], [3, 4]], np.uint32), np.ones((2, 5, 3))
    found = forward(GaussianNoise(label="n", sd=0.5), x, {}, Mode({"n": key}, 6)).values
    assert (found == 1 + 0.5 * noise.normals(key, 6, 15).reshape(2, 5, 3)).all()


def test_drop_connect_drops_the_weights_that_its_noise_selects_and_no_bias():
    net = network(output=dense(1, "linear", drop_connect={"rate": 0.4}))
    weights = somewhere(net, lanes=2)
    epoch = plan(net, np.tile(np.arange(ROWS), (2, 1)), batch=ROWS, rate=0.0, step=5)
    found = cohort(phase(net), weights).train(epoch).loss[:, 0]
    for lane in range(2):
        key = epoch.noise["output/kernel"][lane : lane + 1]
        mask = noise.halves(key, 5, FEATURES)[0] >= noise.threshold(0.4)
        kernel = weights["output/kernel"][lane, :, 0] * mask * noise.keep_scale(0.4)
        error = INPUTS @ kernel + weights["output/bias"][lane] - LABELS["linear"]
        assert found[lane] == pytest.approx((error**2).mean())


def test_augmented_training_equals_training_on_images_changed_beforehand():
    net = network(dense(activation="elu"))
    kinds = ("shift", "rotate", "resize", "crop", "horizontal_flip", "contrast", "brightness")
    drawn = image_changes(
        "task", phase(net, augmentation=kinds).augmentation, [5, 6], 0, ROWS, FEATURES
    )
    order = np.stack([np.random.default_rng(seed).permutation(ROWS) for seed in (5, 6)])
    weights = somewhere(net, lanes=2)
    asked = cohort(phase(net), weights)
    loss = asked.train(plan(net, order, changes=drawn)).loss
    for lane in range(2):
        images = augmented(INPUTS[order[lane]].reshape(-1, 3, 3), drawn[lane])
        changed = data(inputs=images.reshape(ROWS, -1), labels=CLASSES[order[lane]])
        alone = cohort(phase(net), {n: w[[lane]] for n, w in weights.items()}, changed)
        np.testing.assert_allclose(
            loss[[lane]], alone.train(plan(net, np.arange(ROWS)[None])).loss, rtol=1e-12
        )
        for name, values in alone.weights().items():
            np.testing.assert_allclose(asked.weights()[name][lane], values[0], rtol=1e-10)


# ---------------------------------------------------------------- optimizers

STEPS = 6
G = np.random.default_rng(4).normal(size=(STEPS, 2, 5))
RATES = np.random.default_rng(5).uniform(0.05, 0.2, (STEPS, 2))
START = np.random.default_rng(6).normal(size=(2, 5))
TIMES = np.arange(1, STEPS + 1)[:, None, None]


def steps(name, momenta=None, start=START, rates=RATES, **hyperparameters):
    """Return what each step adds to a weight [lanes, 5]: [steps, lanes, 5]."""
    wanted = TypeAdapter(Optimizer).validate_python({"name": name, **hyperparameters})
    optimizer, weights = LaneOptimizer(wanted), {"w": start.copy()}
    passed = [start]
    for t in range(STEPS):
        momentum = None if momenta is None else momenta[t]
        optimizer.step(weights, {"w": G[t]}, rates[t], momentum)
        passed.append(weights["w"].copy())
    return np.diff(passed, axis=0)


def decayed(values, decay):
    """Return sum_i decay^(t-i) values_i at every t: what a recursion comes to."""
    powers = np.tril(decay ** np.maximum(np.subtract.outer(np.arange(STEPS), np.arange(STEPS)), 0))
    return np.einsum("ti,i...->t...", np.tril(powers), values)


def unbiased(values, decay):
    return (1 - decay) * decayed(values, decay) / (1 - decay**TIMES)


ETA = RATES[..., None]


def velocity(momenta):
    """Return m_t = -sum_i (beta_(i+1) … beta_t) eta_i g_i for momenta [steps, lanes]."""
    return -np.stack(
        [
            sum(
                np.prod(momenta[i + 1 : t + 1], axis=0)[:, None] * ETA[i] * G[i]
                for i in range(t + 1)
            )
            for t in range(STEPS)
        ]
    )


def test_gradient_descent_adds_the_rate_times_the_gradient():
    np.testing.assert_allclose(steps("sgd"), -ETA * G, rtol=1e-12)


def test_momentum_adds_a_velocity_that_holds_rates_and_momenta_as_they_were():
    momenta = np.random.default_rng(7).uniform(0.5, 0.99, (STEPS, 2))
    np.testing.assert_allclose(steps("momentum", momenta), velocity(momenta), rtol=1e-9)
    ahead = momenta[..., None] * velocity(momenta) - ETA * G
    np.testing.assert_allclose(steps("nesterov", momenta), ahead, rtol=1e-9)


def test_adagrad_divides_by_the_root_of_all_squares():
    sums = 0.3 + np.cumsum(G**2, axis=0)
    found = steps("adagrad", accumulator=0.3, epsilon=0.05)
    np.testing.assert_allclose(found, -ETA * G / np.sqrt(sums + 0.05), rtol=1e-9)


def test_rmsprop_divides_by_the_root_of_recent_squares():
    squares = 0.2 * decayed(G**2, 0.8)
    found = steps("rmsprop", rho=0.8, epsilon=0.05)
    np.testing.assert_allclose(found, -ETA * G / np.sqrt(squares + 0.05), rtol=1e-9)


ADAM = {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.05}


def test_adam_and_adamax_are_their_closed_forms():
    mean = unbiased(G, 0.8)
    root = np.sqrt(unbiased(G**2, 0.95))
    np.testing.assert_allclose(steps("adam", **ADAM), -ETA * mean / (root + 0.05), rtol=1e-9)
    sizes = [[0.95 ** (t - i) * np.abs(G[i]) for i in range(t + 1)] for t in range(STEPS)]
    largest = np.stack([np.max(each, axis=0) for each in sizes])
    np.testing.assert_allclose(steps("adamax", **ADAM), -ETA * mean / (largest + 0.05), rtol=1e-9)


@pytest.mark.parametrize(("name", "decay"), [("nadam", 0.004), ("nadam_keras3", 1.0)])
def test_nadam_is_its_closed_form(name, decay):
    mu = 0.8 * (1 - 0.96 ** (decay * np.arange(1, STEPS + 2)) / 2)
    product = np.cumprod(mu)
    now, later = (
        factor.reshape(-1, 1, 1)
        for factor in ((1 - mu[:-1]) / (1 - product[:-1]), mu[1:] / (1 - product[1:]))
    )
    ahead = later * 0.2 * decayed(G, 0.8) + now * G
    root = np.sqrt(unbiased(G**2, 0.95))
    np.testing.assert_allclose(steps(name, **ADAM), -ETA * ahead / (root + 0.05), rtol=1e-9)


def test_ftrl_from_0_without_penalties_is_adagrad_without_epsilon():
    found = steps("ftrl", start=np.zeros((2, 5)), rates=np.full((STEPS, 2), 0.1), accumulator=0.3)
    expected = -0.1 * G / np.sqrt(0.3 + np.cumsum(G**2, axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_ftrl_with_penalties_worked_by_hand():
    # One lane, rate 0.5, from weight 1 and n = 0.25, gradient 2: n' = 4.25, and
    # z = 2 - (sqrt(4.25) - 0.5) 1 / 0.5; the second gradient of -0.1 leaves z within l1: weight 0.
    wanted = TypeAdapter(Optimizer).validate_python(
        {"name": "ftrl", "l1": 0.5, "l2": 0.3, "accumulator": 0.25}
    )
    optimizer, weights, rate = LaneOptimizer(wanted), {"w": np.ones((1, 1))}, np.array([0.5])
    optimizer.step(weights, {"w": np.full((1, 1), 2.0)}, rate, None)
    z = 2 - (4.25**0.5 - 0.5) / 0.5
    first = (-0.5 - z) / (4.25**0.5 / 0.5 + 0.6)
    assert weights["w"].item() == pytest.approx(first)
    optimizer.step(weights, {"w": np.full((1, 1), 1.0)}, rate, None)
    z += 1 - (5.25**0.5 - 4.25**0.5) * first / 0.5
    assert abs(z) < 0.5
    assert weights["w"].item() == 0


# ---------------------------------------------------------------- clipping and constraints


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
    asked = cohort(phase(net, clipping="global_clip_norm"), somewhere(net, lanes=2))
    order, before = np.tile(np.arange(BATCH), (2, 1)), asked.weights()
    gradient = asked.gradient(Batch(order.astype(np.int32)))
    norms = [np.sqrt(sum((g[lane] ** 2).sum() for g in gradient.values())) for lane in range(2)]
    assert min(norms) > 1
    asked.train(plan(net, order, rate=0.3))
    for name, g in gradient.items():
        expected = before[name] - 0.3 * g / np.reshape(norms, (2,) + (1,) * (g.ndim - 1))
        np.testing.assert_allclose(asked.weights()[name], expected, rtol=1e-12)


def test_penalties_are_reported_apart_including_those_of_frozen_layers():
    net = network(
        dense(penalty={"name": "l1", "l1": 0.5}), output=SOFTMAX | {"penalty": {"name": "l2"}}
    )
    weights, order = somewhere(net, lanes=2), np.tile(np.arange(BATCH), (2, 1))
    trace = cohort(phase(net, frozen=("hidden1",)), weights).train(plan(net, order))
    sizes = 0.5 * np.abs(weights["hidden1/kernel"]).sum(axis=(1, 2))
    squares = 0.01 * (weights["output/kernel"] ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(trace.penalty[:, 0], sizes + squares, rtol=1e-12)
    plain = cohort(phase(network(dense())), weights).train(plan(net, order))
    assert (plain.loss == trace.loss).all()
    assert plain.penalty is None


def test_max_norm_rescales_the_units_beyond_it_and_no_others():
    net, free = network(dense(max_norm={"radius": 1.35}), dense()), network(dense(), dense())
    weights, order = somewhere(net), np.arange(BATCH)[None]
    ours, theirs = cohort(phase(net), weights), cohort(phase(free), weights)
    for each in (ours, theirs):
        each.train(plan(net, order))
    kernel, before = ours.weights()["hidden1/kernel"][0], theirs.weights()["hidden1/kernel"][0]
    norms = np.linalg.norm(before, axis=0)
    assert (norms > 1.35).any()
    assert (norms < 1.35).any()
    np.testing.assert_allclose(kernel, before * np.minimum(1, 1.35 / norms), rtol=1e-12)
    assert (ours.weights()["hidden2/kernel"] == theirs.weights()["hidden2/kernel"]).all()
    frozen = cohort(phase(net, frozen=("hidden1",)), weights)
    frozen.train(plan(net, order))
    assert (frozen.weights()["hidden1/kernel"] == weights["hidden1/kernel"]).all()


def test_zeros_are_kept_if_the_phase_says_so():
    net = network(dense())
    weights = somewhere(net)
    weights["hidden1/kernel"][:, ::2] = 0
    weights["hidden1/bias"][:] = 0
    for kept in (True, False):
        asked = cohort(phase(net, "momentum", keep_zeros=kept), weights)
        asked.train(plan(net, np.arange(ROWS)[None], momentum=0.9))
        assert (asked.weights()["hidden1/kernel"][:, ::2] == 0).all() == kept
        assert (asked.weights()["hidden1/kernel"][:, 1::2] != 0).all()
        assert (asked.weights()["hidden1/bias"] != 0).any()


# ---------------------------------------------------------------- scores and activity


@pytest.mark.parametrize("kind", ["softmax", "logistic", "linear"])
def test_monte_carlo_dropout_is_the_mean_over_samples_drawn_one_by_one(kind):
    """The network is dropout and one matrix, so that its samples can be written out."""
    rows, samples, units = 2300, 3, 3 if kind == "softmax" else 1
    generator = np.random.default_rng(8)
    labels = generator.integers(0, 2, rows) if kind != "linear" else generator.normal(size=rows)
    splits = data(inputs=generator.normal(size=(rows, FEATURES)), labels=labels)
    net = network({"name": "dropout", "rate": 0.3}, "batch_norm", output=dense(units, kind))
    weights = initial_weights(net, FEATURES, range(2))
    asked, key = cohort(phase(net), weights, splits), keys(net, range(2))["dropout1"]
    metrics = ("loss",) if kind == "linear" else ("loss", "accuracy")
    found = asked.score(
        metrics, probabilities=kind != "linear", sampling=Sampling(samples, {"dropout1": key})
    )
    for lane in range(2):
        total = np.zeros((rows, units))
        for sample in range(samples):
            for block, start in enumerate((0, 1000, 2000)):
                x = splits.test.inputs[start : start + 1000]
                halves = noise.halves(key[[lane]], sample * 3 + block, x.size)[0]
                kept = (halves >= noise.threshold(0.3)).reshape(x.shape)
                z = x * kept * noise.keep_scale(0.3) / np.sqrt(1.001)
                z = z @ weights["output/kernel"][lane]
                total[start : start + 1000] += {
                    "softmax": np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
                    "logistic": 1 / (1 + np.exp(-z)),
                    "linear": z,
                }[kind]
        mean = total / samples
        if kind == "linear":
            expected = ((mean[:, 0] - labels) ** 2).mean()
        else:
            both = mean if kind == "softmax" else np.hstack([1 - mean, mean])
            expected = -np.log(both[np.arange(rows), labels]).mean()
            np.testing.assert_allclose(found.probabilities[lane], mean, rtol=1e-12)
            assert found.metrics["accuracy"][lane] == (both.argmax(axis=1) == labels).mean()
        assert found.metrics["loss"][lane] == pytest.approx(expected, rel=1e-12)


def test_activity_describes_the_outputs_of_every_layer():
    net = network("batch_norm", dense(5, "relu"), {"name": "skip", "of": "hidden1"})
    weights = somewhere(net, lanes=2)
    weights["hidden1/kernel"][0, :, :2] = 0
    weights["hidden1/bias"][0, :2] = -1
    rows = np.tile(np.arange(ROWS, dtype=np.int32), (2, 1))
    found = cohort(phase(net), weights).activity(Batch(rows), training=False)
    assert list(found) == ["batch_norm1", "hidden1", "skip1", "output"]
    for lane in range(2):
        w = {name: values[lane] for name, values in weights.items()}
        moving = [w[f"batch_norm1/moving_{each}"] for each in ("mean", "variance")]
        x = (INPUTS - moving[0]) / np.sqrt(moving[1] + 1e-3)
        x = x * w["batch_norm1/gamma"] + w["batch_norm1/beta"]
        hidden = np.maximum(x @ w["hidden1/kernel"] + w["hidden1/bias"], 0)
        z = np.exp(2 * hidden @ w["output/kernel"] + w["output/bias"])
        outputs = (x, hidden, 2 * hidden, z / z.sum(axis=1, keepdims=True))
        for activity, values in zip(found.values(), outputs, strict=True):
            assert activity.mean[lane] == pytest.approx(values.mean())
            assert activity.sd[lane] == pytest.approx(values.std(axis=0).mean())
            assert activity.dead[lane] == (values == 0).all(axis=0).mean()
    assert found["hidden1"].dead[0] >= 0.4


def test_activity_in_training_has_the_noise_of_the_step_and_changes_the_images():
    net = network({"name": "dropout", "rate": 0.5})
    kinds = phase(net, augmentation=({"name": "brightness", "most": 5.0},)).augmentation
    changes = image_changes("task", kinds, [1, 2], 0, ROWS, FEATURES)
    rows = np.tile(np.arange(ROWS, dtype=np.int32), (2, 1))
    batch = Batch(rows, keys(net, [1, 2]), step=4, changes=changes)
    asked = cohort(phase(net), somewhere(net, lanes=2))
    found = asked.activity(batch, training=True)["dropout1"]
    kept = noise.kept(batch.noise["dropout1"], 4, ROWS, FEATURES, 0.5)
    for lane in range(2):
        images = augmented(INPUTS.reshape(-1, 3, 3), changes[lane]).reshape(ROWS, -1)
        expected = images * kept[lane] * noise.keep_scale(0.5)
        assert found.mean[lane] == pytest.approx(expected.mean())
    plain = asked.activity(replace(batch, noise={}), training=False)["dropout1"]
    np.testing.assert_allclose(plain.mean, INPUTS.mean())


# ---------------------------------------------------------------- lanes


def trained(weights, lanes, precision="float64", steps=60):
    """Train everything at once for some steps and return the cohort."""
    kinds = ("shift", "contrast")
    asked = phase(EVERYTHING, "nadam", clipping="global_clip_norm", augmentation=kinds)
    found = cohort(asked, {n: w[lanes] for n, w in weights.items()}, precision=precision)
    order = np.stack([np.random.default_rng(lane).permutation(ROWS) for lane in lanes])
    changes = image_changes("task", asked.augmentation, lanes, 0, ROWS, FEATURES)
    for epoch in range(steps // 3):
        found.train(plan(EVERYTHING, order, seeds=lanes, step=3 * epoch, changes=changes))
    return found


def test_a_lane_is_trained_as_if_alone():
    weights = somewhere(EVERYTHING, lanes=3)
    together = trained(weights, [0, 1, 2]).weights()
    for lane in range(3):
        for name, values in trained(weights, [lane]).weights().items():
            np.testing.assert_allclose(together[name][lane], values[0], rtol=1e-9, atol=1e-12)


def test_a_lane_of_nan_leaves_the_others_as_they_are():
    weights = somewhere(EVERYTHING, lanes=3)
    healthy = trained(weights, [0, 1, 2], steps=9).weights()
    weights["hidden1/kernel"][1] = np.nan
    for name, values in trained(weights, [0, 1, 2], steps=9).weights().items():
        assert (values[[0, 2]] == healthy[name][[0, 2]]).all(), name
        assert np.isnan(values[1]).any() or name.startswith("batch_norm1/moving"), name


def test_everything_stays_in_the_precision_of_the_settings():
    asked = trained(somewhere(EVERYTHING, lanes=2), [0, 1], "float32", steps=3)
    rows = np.tile(np.arange(BATCH, dtype=np.int32), (2, 1))
    gradient = asked.gradient(Batch(rows, keys(EVERYTHING, [0, 1])))
    probabilities = asked.evaluate("valid", ("loss",), probabilities=True).probabilities
    for values in (*asked.weights().values(), *gradient.values(), probabilities):
        assert values.dtype == np.float32
