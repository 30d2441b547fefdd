"""The PyTorch backend against closed forms, NumPy and PyTorch's own plain classes."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.settings import Settings
from manyseeds.backend.task_cache import CACHED_TASKS
from manyseeds.backend.values import Batch, EpochPlan, Split, Splits
from manyseeds.errors import RequestError
from manyseeds.randomness import noise as reference
from manyseeds.randomness import streams
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import network_streams
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds.techniques.layers import Dense, Dropout
from manyseeds.techniques.network import Network

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch import entry  # noqa: E402
from manyseeds_pytorch import noise as drawn  # noqa: E402
from manyseeds_pytorch.activations import activation as activated  # noqa: E402
from manyseeds_pytorch.device import Placement  # noqa: E402
from manyseeds_pytorch.layers import layer_of  # noqa: E402
from manyseeds_pytorch.run import Run  # noqa: E402

FEATURES, ROWS, BATCH = 6, 27, 8
CPU = Placement(torch.device("cpu"), torch.float64, 1)
TASK = Task(name="toy", dataset="toy")
RANDOM = np.random.default_rng(5)


@pytest.fixture(scope="module")
def double():
    return entry.open(Settings(precision="float64"))


@pytest.fixture(scope="module")
def single():
    return entry.open(Settings(precision="float32"))


def a_network(output="softmax", units=3, activation="selu", dropout=None, bias=True):
    hidden = [Dense(units=7, activation=activation, bias=bias), Dense(units=5, activation="tanh")]
    if dropout is not None:
        hidden = [
            Dropout(rate=dropout),
            hidden[0],
            Dropout(rate=dropout),
            hidden[1],
        ]
    last = Dense(units=units, activation=output)
    return Network(name="toy", layers=(*hidden, last))


def some_data(output="softmax", units=3, rows=ROWS, key="toy"):
    random = np.random.default_rng(1)

    def split(n):
        labels = {
            "softmax": random.integers(0, units, n),
            "logistic": random.integers(0, 2, n),
            "linear": random.normal(size=(n, units)),
        }[output]
        return Split(random.normal(size=(n, FEATURES)), labels)

    return Splits(split(rows), split(19), split(23), key=f"{key}-{output}-{units}-{rows}")


def first_weights(network, lanes, seed=0):
    return network_streams.initial_weights(network, FEATURES, range(seed, seed + lanes))


def a_phase(network, **fields):
    return Phase(
        **{"name": "p", "task": TASK, "network": network, "epochs": 1, "rate": 0.1} | fields
    )


def a_plan(network, lanes, *, epochs=1, rate=0.1, momentum=None, first=0, seed=0, rows=ROWS):
    """An epoch's plan, or several epochs' as one, with a rate per lane and step if asked for."""
    seeds = range(seed, seed + lanes)
    order = streams.batch_order("toy", [np.arange(rows, dtype=np.int32)] * lanes, seeds, first)
    order = np.concatenate([order] * epochs, axis=1)
    steps = -(-order.shape[1] // BATCH)
    return EpochPlan(
        order=order,
        batch=BATCH,
        rate=np.broadcast_to(rate, (lanes, steps)).copy(),
        momentum=None if momentum is None else np.broadcast_to(momentum, (lanes, steps)).copy(),
        noise=network_streams.noise_keys(network, {"dropout": seeds, "augment": seeds}),
        step=first * steps,
    )


def trained(backend, network, plan, *, phase=None, weights=None, data=None):
    lanes = len(plan.order)
    cohort = backend.cohort(network, data or some_data(), lanes)
    cohort.begin(phase or a_phase(network), weights or first_weights(network, lanes))
    return cohort.train(plan), cohort


def distance(one, other):
    return max(
        np.linalg.norm(one[name] - other[name]) / max(np.linalg.norm(other[name]), 1e-300)
        for name in other
    )


# ---------------------------------------------------------------- activations

FORMS = {
    "linear": (lambda z: z, np.ones_like),
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1, 0.2)),
    "elu": (
        lambda z: np.where(z > 0, z, 0.7 * np.expm1(z)),
        lambda z: np.where(z > 0, 1, 0.7 * np.exp(z)),
    ),
    "selu": (
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(z)),
        lambda z: SELU_SCALE * np.where(z > 0, 1, SELU_ALPHA * np.exp(z)),
    ),
    "softplus": (lambda z: np.logaddexp(0, z), lambda z: 1 / (1 + np.exp(-z))),
}
ALPHA = {"leaky_relu": {"alpha": 0.2}, "elu": {"alpha": 0.7}}


@pytest.mark.parametrize("name", FORMS)
def test_activation_and_derivative_are_the_closed_form_at_the_kink_too(name):
    dense = Dense(units=1, activation={"name": name} | ALPHA.get(name, {}))
    values = np.array([-3.0, -0.5, -1e-9, -0.0, 0.0, 1e-9, 0.5, 3.0])
    inputs = torch.tensor(values, requires_grad=True)
    outputs = activated(dense.activation)(inputs, {}, Run())
    outputs.sum().backward()
    form, derivative = FORMS[name]
    np.testing.assert_allclose(outputs.detach().numpy(), form(values), rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(inputs.grad.numpy(), derivative(values), rtol=1e-14)


# ---------------------------------------------------------------- optimizers


def spread(values, like):
    return values.reshape(-1, *[1] * (like.ndim - 1))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_the_equation_under_changing_rates_and_momenta(double, nesterov):
    network, lanes, epochs = a_network(), 3, 6
    steps = -(-ROWS * epochs // BATCH)
    plan = a_plan(
        network,
        lanes,
        epochs=epochs,
        rate=RANDOM.uniform(0.01, 0.3, (lanes, steps)),
        momentum=RANDOM.uniform(0.5, 0.95, (lanes, steps)),
    )
    name = "nesterov" if nesterov else "momentum"
    phase = a_phase(network, optimizer={"name": name, "momentum": 0.9})
    _, whole = trained(double, network, plan, phase=phase)

    probe = double.cohort(network, some_data(), lanes)
    theta = first_weights(network, lanes)
    velocity = {name: np.zeros_like(value) for name, value in theta.items()}
    for t in range(steps):
        probe.begin(a_phase(network), theta)
        g = probe.gradient(Batch(rows=plan.order[:, t * BATCH : (t + 1) * BATCH]))
        for name in theta:
            eta, beta = (spread(v[:, t], g[name]) for v in (plan.rate, plan.momentum))
            velocity[name] = beta * velocity[name] - eta * g[name]
            move = beta * velocity[name] - eta * g[name] if nesterov else velocity[name]
            theta[name] = theta[name] + move
    assert steps >= 20
    assert distance(whole.weights(), theta) < 1e-12


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam"])
def test_optimizer_is_torch_optim_at_a_constant_rate(double, name):
    rate, epochs = 0.05, 6
    network = a_network(activation="elu")
    own = {
        "sgd": lambda p: torch.optim.SGD(p, lr=rate),
        "momentum": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.8),
        "nesterov": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.8, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=rate, betas=(0.8, 0.97), eps=1e-4),
    }[name]
    fields = {
        "sgd": {},
        "momentum": {"momentum": 0.8},
        "nesterov": {"momentum": 0.8},
        "adam": {"beta1": 0.8, "beta2": 0.97, "epsilon": 1e-4},
    }[name]
    plan = a_plan(
        network, 1, epochs=epochs, rate=rate, momentum=0.8 if "momentum" in fields else None
    )
    phase = a_phase(network, optimizer={"name": name} | fields)
    trace, cohort = trained(double, network, plan, phase=phase)
    assert trace.loss.shape[1] >= 20

    model = sequential(first_weights(network, 1), torch.nn.ELU)
    losses = plain_epoch(model, own(model.parameters()), plan.order[0])
    np.testing.assert_allclose(trace.loss[0], losses, rtol=1e-12)
    assert distance(cohort.weights(), plain_weights(model)) < 1e-12


def test_adam_has_a_rate_per_lane_and_step(double):
    network, lanes, epochs = a_network(), 3, 6
    steps = -(-ROWS * epochs // BATCH)
    plan = a_plan(network, lanes, epochs=epochs, rate=RANDOM.uniform(0.001, 0.1, (lanes, steps)))
    phase = a_phase(network, optimizer={"name": "adam", "epsilon": 1e-3})
    _, whole = trained(double, network, plan, phase=phase)

    probe = double.cohort(network, some_data(), lanes)
    theta = first_weights(network, lanes)
    m = dict.fromkeys(theta, 0)
    s = dict.fromkeys(theta, 0)
    for t in range(steps):
        probe.begin(a_phase(network), theta)
        g = probe.gradient(Batch(rows=plan.order[:, t * BATCH : (t + 1) * BATCH]))
        for name in theta:
            m[name] = 0.9 * m[name] + 0.1 * g[name]
            s[name] = 0.999 * s[name] + 0.001 * g[name] ** 2
            m_hat, s_hat = m[name] / (1 - 0.9 ** (t + 1)), s[name] / (1 - 0.999 ** (t + 1))
            move = spread(plan.rate[:, t], g[name]) * m_hat / (np.sqrt(s_hat) + 1e-3)
            theta[name] = theta[name] - move
    assert distance(whole.weights(), theta) < 1e-11


# ---------------------------------------------------------------- a solo lane, plainly


def sequential(weights, hidden, lane=0):
    """The toy network as PyTorch's users write it."""
    model = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 7),
        hidden(),
        torch.nn.Linear(7, 5),
        torch.nn.Tanh(),
        torch.nn.Linear(5, weights["output/kernel"].shape[2]),
    ).double()
    with torch.no_grad():
        for label, layer in zip(("hidden1", "hidden2", "output"), model[::2], strict=True):
            layer.weight.copy_(torch.tensor(weights[f"{label}/kernel"][lane].T))
            layer.bias.copy_(torch.tensor(weights[f"{label}/bias"][lane]))
    return model


def plain_weights(model):
    weights = {}
    for label, layer in zip(("hidden1", "hidden2", "output"), model[::2], strict=True):
        weights[f"{label}/kernel"] = layer.weight.detach().numpy().T[None]
        weights[f"{label}/bias"] = layer.bias.detach().numpy()[None]
    return weights


def plain_epoch(model, optimizer, order, loss=None, data=None):
    data = data or some_data()
    loss = loss or torch.nn.CrossEntropyLoss()
    inputs, labels = torch.tensor(data.train.inputs), torch.tensor(data.train.labels)
    losses = []
    for rows in torch.tensor(order, dtype=torch.int64).split(BATCH):
        optimizer.zero_grad()
        value = loss(model(inputs[rows]), labels[rows])
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


@pytest.mark.parametrize(
    ("output", "units", "loss"),
    [
        ("softmax", 3, torch.nn.CrossEntropyLoss()),
        ("logistic", 1, lambda z, y: torch.nn.BCEWithLogitsLoss()(z[:, 0], y.double())),
        ("linear", 1, torch.nn.MSELoss()),
        ("linear", 3, torch.nn.MSELoss()),
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


@pytest.mark.parametrize(("output", "units"), [("softmax", 3), ("logistic", 1)])
def test_accuracy_and_probabilities_are_those_of_the_outputs(double, output, units):
    network, data = a_network(output, units), some_data(output, units)
    _, cohort = trained(double, network, a_plan(network, 2), data=data)
    scores = cohort.score(("accuracy",), probabilities=True)
    for lane in range(2):
        model = sequential(cohort.weights(), torch.nn.SELU, lane)
        logits = model(torch.tensor(data.test.inputs)).detach().numpy()
        if output == "softmax":
            chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            right = logits.argmax(1) == data.test.labels
        else:
            chances = 1 / (1 + np.exp(-logits))
            right = (chances[:, 0] > 0.5) == data.test.labels
        np.testing.assert_allclose(scores.probabilities[lane], chances, rtol=1e-12)
        assert scores.metrics["accuracy"][lane] == right.mean()


def test_ties_go_to_the_first_class_and_one_half_to_class_0(double):
    for output, units in (("softmax", 3), ("logistic", 1)):
        network, data = a_network(output, units), some_data(output, units)
        zeros = {name: 0 * value for name, value in first_weights(network, 1).items()}
        cohort = double.cohort(network, data, 1)
        cohort.begin(a_phase(network), zeros)
        accuracy = cohort.evaluate("valid", ("accuracy",)).metrics["accuracy"][0]
        assert accuracy == (data.valid.labels == 0).mean()


def test_linear_output_has_no_accuracy(double):
    network = a_network("linear", 1)
    cohort = double.cohort(network, some_data("linear", 1), 1)
    cohort.begin(a_phase(network), first_weights(network, 1))
    with pytest.raises(RequestError, match="linear output"):
        cohort.evaluate("valid", ("loss", "accuracy"))


def test_pieces_of_any_size_give_the_same_scores(double, monkeypatch):
    network = a_network()
    _, cohort = trained(double, network, a_plan(network, 3))
    whole = cohort.evaluate("valid", ("loss", "accuracy"), probabilities=True)
    for bound in (1, 40, 7 * 19 * 2):
        monkeypatch.setattr(Placement, "elements", bound)
        pieces = cohort.evaluate("valid", ("loss", "accuracy"), probabilities=True)
        np.testing.assert_array_equal(pieces.metrics["accuracy"], whole.metrics["accuracy"])
        np.testing.assert_allclose(pieces.metrics["loss"], whole.metrics["loss"], rtol=1e-13)
        np.testing.assert_allclose(pieces.probabilities, whole.probabilities, rtol=1e-12)


# ---------------------------------------------------------------- noise

KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN_ANSWERS)
def test_threefry_gives_the_known_answers_of_random123(key, counter, words):
    tensors = [
        torch.from_numpy(np.array([word], np.uint32).view(np.int32)) for word in (*key, *counter)
    ]
    drawn_words = [word.numpy().view(np.uint32)[0] for word in drawn.threefry(*tensors)]
    assert drawn_words == list(words)


@pytest.mark.parametrize("step", [0, 1, 77, 2**31, 2**32 - 1])
@pytest.mark.parametrize("elements", [1, 4, 6, 801])
def test_noise_is_bit_identical_on_host_and_in_the_graph(step, elements):
    keys = np.random.default_rng(3).integers(0, 2**32, (5, 2), dtype=np.uint32)
    expected = reference.halves(keys, step, elements)
    host = drawn.HostNoise(keys, CPU)
    host.fractions(step + 3 & 0xFF, 50)  # What was drawn before must not matter.
    halves = host.fractions(step, elements).numpy() * reference.HALVES - 0.5
    np.testing.assert_array_equal(halves, expected)
    graph = drawn.GraphNoise(keys, CPU)
    np.testing.assert_array_equal(graph.halves(step, elements).numpy(), expected)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.999])
def test_dropout_keeps_what_the_definition_keeps(rate):
    keys = np.random.default_rng(4).integers(0, 2**32, (3, 2), dtype=np.uint32)
    expected = reference.kept(keys, 9, 4, 11, rate) * reference.keep_scale(rate)
    layer, ones = layer_of(Dropout(label="d", rate=rate), ()), torch.ones(3, 4, 11).double()
    for noise in (drawn.HostNoise(keys, CPU), drawn.GraphNoise(keys, CPU)):
        made = layer(ones, {}, Run(dropping=True, noise={"d": noise}, step=9))
        np.testing.assert_array_equal(made.numpy(), expected)


def test_a_half_at_the_threshold_is_kept():
    keys = np.random.default_rng(4).integers(0, 2**32, (1, 2), dtype=np.uint32)
    half = int(reference.halves(keys, 0, 1)[0, 0])
    for noise in (drawn.HostNoise(keys, CPU), drawn.GraphNoise(keys, CPU)):
        assert noise.kept(0, 1, half).item() is True
        assert noise.kept(0, 1, half + 1).item() is False


def test_dropout_drops_the_inputs_the_stream_says(double):
    network, lanes = a_network(dropout=0.3), 2
    plan = a_plan(network, lanes, first=2)
    weights, data = first_weights(network, lanes), some_data()
    trace, _ = trained(double, network, plan, weights=weights)
    rows = plan.order[:, :BATCH]
    inputs, labels = data.train.inputs[rows], data.train.labels[rows]

    def dropped(values, label):
        kept = reference.kept(plan.noise[label], plan.step, BATCH, values.shape[2], 0.3)
        return values * kept * reference.keep_scale(0.3)

    def dense(values, label):
        return values @ weights[f"{label}/kernel"] + weights[f"{label}/bias"][:, None]

    values = FORMS["selu"][0](dense(dropped(inputs, "dropout1"), "hidden1"))
    logits = dense(np.tanh(dense(dropped(values, "dropout2"), "hidden2")), "output")
    chances = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    losses = -np.log(np.take_along_axis(chances, labels[..., None], 2))[..., 0].mean(1)
    np.testing.assert_allclose(trace.loss[:, 0], losses, rtol=1e-12)


# ---------------------------------------------------------------- gradients and phases


@pytest.mark.parametrize(
    ("output", "units", "dropout"),
    [("softmax", 3, None), ("softmax", 3, 0.4), ("logistic", 1, None), ("linear", 2, 0.4)],
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
        found = gradient[name][(slice(None), *index)]
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-9)


def test_gradient_leaves_training_as_it_was(double):
    network = a_network()
    phase = a_phase(network, optimizer={"name": "momentum"})
    plan = a_plan(network, 2, momentum=0.9)
    _, cohort = trained(double, network, plan, phase=phase)
    _, looked_at = trained(double, network, plan, phase=phase)
    looked_at.gradient(Batch(rows=plan.order[:, :3]))
    np.testing.assert_array_equal(cohort.train(plan).loss, looked_at.train(plan).loss)


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
    kept = {name: value.copy() for name, value in before.items()}
    cohort.train(plan)
    assert distance(before, kept) == 0
    assert distance(cohort.weights(), kept) > 1e-6


def test_hyperparameters_of_a_phase_are_taken(double):
    gentle = a_network(activation={"name": "leaky_relu", "alpha": 0.01}, dropout=0.1)
    harsh = a_network(activation={"name": "leaky_relu", "alpha": 0.3}, dropout=0.5)
    plan = a_plan(gentle, 2)
    cohort = double.cohort(gentle, some_data(), 2)
    cohort.begin(a_phase(gentle), first_weights(gentle, 2))
    cohort.train(plan)
    cohort.begin(a_phase(harsh), first_weights(harsh, 2))
    expected, _ = trained(double, harsh, plan)
    np.testing.assert_array_equal(cohort.train(plan).loss, expected.loss)


def test_dense_without_bias_has_none(double):
    network = a_network(bias=False)
    _, cohort = trained(double, network, a_plan(network, 2))
    assert list(cohort.weights()) == list(network.shapes(FEATURES))


# ---------------------------------------------------------------- lanes


@pytest.mark.parametrize(
    ("precision", "epochs", "tolerance"), [("float32", 3, 1e-5), ("float64", 16, 1e-9)]
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_lane_does_not_depend_on_the_others(precision, epochs, tolerance, optimizer):
    backend = entry.open(Settings(precision=precision))
    network = a_network(dropout=0.25)
    phase = a_phase(network, optimizer={"name": optimizer})
    rate = 0.02
    # 17 lanes are dealt out to two threads, 8 and 9, where there are two.
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
    sick = {name: value.copy() for name, value in weights.items()}
    sick["hidden1/kernel"][2] = np.nan
    whole, healthy = trained(single, network, plan, phase=phase, weights=weights)
    trace, ill = trained(single, network, plan, phase=phase, weights=sick)
    others = [lane for lane in range(lanes) if lane != 2]
    assert np.isnan(trace.loss[2]).all()
    np.testing.assert_array_equal(trace.loss[others], whole.loss[others])
    for name, value in healthy.weights().items():
        np.testing.assert_array_equal(ill.weights()[name][others], value[others])
    scores = [cohort.evaluate("valid", ("loss", "accuracy")).metrics for cohort in (ill, healthy)]
    for metric in ("loss", "accuracy"):
        np.testing.assert_array_equal(scores[0][metric][others], scores[1][metric][others])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_lanes_are_dealt_out_in_order(threads):
    network = a_network(dropout=0.25)
    phase = a_phase(network, optimizer={"name": "momentum"})
    backend = entry.open(Settings(precision="float64", threads=threads))
    rate = RANDOM.uniform(0.01, 0.3, (25, -(-ROWS // BATCH)))
    plan = a_plan(network, 25, rate=rate, momentum=1 - rate)
    trace, cohort = trained(backend, network, plan, phase=phase)
    assert len(cohort._shards) == threads
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


# ---------------------------------------------------------------- the backend


def test_cuda_where_there_is_none_is_a_request_error():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RequestError, match=r"'cuda' was asked for.*'cpu' or 'auto'"):
        entry.open(Settings(device="cuda"))
    assert entry.open(Settings(device="auto")).describe().device == "cpu"


def test_environment_says_what_is_set():
    backend = entry.open(Settings(threads=1, precision="float64"))
    found = backend.describe()
    assert found.versions["torch"] == torch.__version__
    assert (found.backend, found.device, found.threads) == ("pytorch", "cpu", 1)
    assert torch.get_num_threads() == 1
    assert found.switches["deterministic"] is True
    assert found.switches["tf32"] is False
    assert found.switches["precision"] == "float64"
    assert backend.peak_memory() == 0
    entry.open(Settings())


def test_data_stay_on_the_device_by_key(double):
    network = a_network()
    data = some_data(key="kept")
    double.cohort(network, data, 1)
    kept = double._kept.of(data)[network.loss]
    double.cohort(network, replace(data), 2)
    assert double._kept.of(data)[network.loss] is kept
    for number in range(3):
        double.cohort(network, some_data(key=f"other{number}"), 1)
    assert len(double._kept) == CACHED_TASKS
    assert not double._kept.of(data)


def test_a_phase_of_another_structure_is_refused(double):
    cohort = double.cohort(a_network(), some_data(), 1)
    with pytest.raises(RequestError, match="another structure"):
        cohort.begin(a_phase(a_network("linear", 1)), {})


def test_targets_that_do_not_fit_the_output_are_refused(double):
    with pytest.raises(RequestError, match=r"3 outputs.*1 targets"):
        double.cohort(a_network("linear", 3), some_data("linear", 1), 1)


def test_entry_is_found_and_imports_no_torch():
    assert backend_entry("pytorch") is entry
    code = "import sys, manyseeds_pytorch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
