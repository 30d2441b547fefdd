"""The JAX wing against closed forms, plain NumPy, plain Flax and Optax, and published vectors."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from manyseeds.backend.settings import Settings
from manyseeds.backend.task_cache import CACHED_TASKS
from manyseeds.backend.values import Batch, EpochPlan, Split, Splits
from manyseeds.errors import RequestError
from manyseeds.randomness import noise as definition
from manyseeds.randomness.streams import batch_order, training_rows
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import initial_weights
from manyseeds.techniques.network_streams import noise_keys as keys_of_streams
from manyseeds_jax import cohort as cohorts
from manyseeds_jax import device as devices
from manyseeds_jax import entry
from manyseeds_jax import noise as noises
from manyseeds_jax.activations import activate

ROWS, FEATURES, BATCH = 44, 12, 16
STEPS = -(-ROWS // BATCH)


@pytest.fixture(scope="module")
def single():
    return entry.open(Settings(threads=2))


@pytest.fixture(scope="module")
def double():
    return entry.open(Settings(precision="float64", threads=2))


def network(*hidden, outputs=3, activation="softmax", dropout=None, name="net"):
    layers = []
    for units, kind in hidden:
        if dropout is not None:
            layers.append({"name": "dropout", "rate": dropout})
        layers.append({"name": "dense", "units": units, "activation": kind})
    if dropout is not None and not hidden:
        layers.append({"name": "dropout", "rate": dropout})
    layers.append({"name": "dense", "units": outputs, "activation": activation})
    return Network(name=name, layers=tuple(layers))


SMALL = network((9, "selu"))
LINEAR = network(outputs=1, activation="linear")


def examples(kind="classes", rows=ROWS, seed=0):
    generator = np.random.default_rng(seed)
    splits = []
    for count in (rows, 30, 25):
        labels = {
            "classes": generator.integers(0, 3, count),
            "binary": generator.integers(0, 2, count),
            "targets": generator.normal(size=count),
        }[kind]
        splits.append(Split(generator.normal(size=(count, FEATURES)), labels))
    return Splits(*splits, key=f"{kind}-{rows}-{seed}")


def phase(net, optimizer="sgd", **fields):
    task = Task(name="task", dataset="made up")
    fields = {"name": "phase", "epochs": 1, "rate": 0.1, "batch": BATCH} | fields
    table = {"name": optimizer} if isinstance(optimizer, str) else optimizer
    return Phase(task=task, network=net, optimizer=table, **fields)


def noise_keys(net, seeds):
    return keys_of_streams(net, {"dropout": seeds, "augment": seeds})


def plan(net, seeds, epoch=0, rate=0.1, momentum=None, rows=ROWS):
    """Each seed's own order and noise; rates and momenta are one number or [lanes, steps]."""
    order = batch_order(
        "task", training_rows("task", rows, None, [None] * len(seeds)), seeds, epoch
    )
    steps = -(-rows // BATCH)
    shape = (len(seeds), steps)
    return EpochPlan(
        order=order,
        batch=BATCH,
        rate=np.broadcast_to(rate, shape).astype(float),
        momentum=None if momentum is None else np.broadcast_to(momentum, shape).astype(float),
        noise=noise_keys(net, seeds),
        step=epoch * steps,
    )


def started(backend, net, seeds, data=None, weights=None, **fields):
    cohort = backend.cohort(net, data or examples(), len(seeds))
    first = initial_weights(net, FEATURES, seeds) if weights is None else weights
    cohort.begin(phase(net, **fields), first)
    return cohort


def trained(backend, net, seeds, epochs=2, data=None, weights=None, rate=0.1, **fields):
    """Return the losses [lanes, steps] and the weights after some epochs."""
    cohort = started(backend, net, seeds, data, weights, **fields)
    momentum = phase(net, **fields).optimizer.hyperparameters().get("momentum")
    losses = [cohort.train(plan(net, seeds, epoch, rate, momentum)).loss for epoch in range(epochs)]
    return np.concatenate(losses, axis=1), cohort.weights()


def distance(ours, theirs):
    """Return the largest relative difference over the tensors."""
    assert list(ours) == list(theirs)
    return max(
        np.linalg.norm(ours[name] - theirs[name]) / max(np.linalg.norm(theirs[name]), 1e-300)
        for name in theirs
    )


# Activations ------------------------------------------------------------------------------------

POINTS = np.array([-30.0, -2.5, -1e-3, -0.0, 0.0, 1e-3, 1.5, 30.0])
NEGATIVE = POINTS <= 0
EXP = np.exp(np.minimum(POINTS, 0))
SIGMOID = 1 / (1 + np.exp(-POINTS))
SLOPES = {"leaky_relu": 0.2, "rrelu": 0.25, "prelu": 0.3, "relu": 0.0}
LEAKY = {
    name: (np.where(NEGATIVE, slope * POINTS, POINTS), np.where(NEGATIVE, slope, 1))
    for name, slope in SLOPES.items()
}
CURVES = {
    "linear": (POINTS, np.ones(8)),
    "logistic": (SIGMOID, SIGMOID * (1 - SIGMOID)),
    "tanh": (np.tanh(POINTS), 1 / np.cosh(POINTS) ** 2),
    "elu": (np.where(NEGATIVE, 0.7 * (EXP - 1), POINTS), np.where(NEGATIVE, 0.7 * EXP, 1)),
    "selu": (
        SELU_SCALE * np.where(NEGATIVE, SELU_ALPHA * (EXP - 1), POINTS),
        SELU_SCALE * np.where(NEGATIVE, SELU_ALPHA * EXP, 1),
    ),
    "softplus": (np.logaddexp(0, POINTS), SIGMOID),
    **LEAKY,
}


@pytest.mark.parametrize("name", CURVES)
def test_activation_and_derivative_are_the_closed_form_also_at_the_kink(double, name):
    hyperparameters = {
        "leaky_relu": {"alpha": 0.2},
        "elu": {"alpha": 0.7},
        "rrelu": {"lower": jnp.asarray(0.1), "upper": jnp.asarray(0.4)},
    }.get(name, {})

    def function(point):
        return activate(name, point, hyperparameters, slope=jnp.asarray(0.3))

    points = jnp.asarray(POINTS)
    assert points.dtype == np.float64
    values, slopes = CURVES[name]
    np.testing.assert_allclose(jax.vmap(function)(points), values, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.grad(function))(points), slopes, rtol=1e-9, atol=1e-15)


# Optimizers -------------------------------------------------------------------------------------


BETAS = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}
TABLES = {
    "sgd": {},
    "momentum": {},
    "nesterov": {},
    "adam": BETAS,
    "adagrad": {"accumulator": 0.2, "epsilon": 1e-3},
    "rmsprop": {"rho": 0.8, "epsilon": 1e-3},
    "adamax": BETAS,
    "nadam": BETAS | {"decay": 0.1},
    "nadam_keras3": BETAS,
    "ftrl": {"l1": 0.3, "l2": 0.2, "accumulator": 0.4},
}


def numpy_update(kind, theta, memory, gradient, rate, momentum, step):
    """One step of the canonical equations as `manyseeds.techniques.optimizers` states them."""
    if kind == "sgd":
        return theta - rate * gradient, memory
    if kind in ("momentum", "nesterov"):
        velocity = momentum * memory.get("m", 0) - rate * gradient
        ahead = momentum * velocity - rate * gradient
        return theta + (ahead if kind == "nesterov" else velocity), {"m": velocity}
    if kind == "ftrl":
        n = memory.get("n", 0.4)
        after = n + gradient**2
        z = memory.get("z", 0) + gradient - (np.sqrt(after) - np.sqrt(n)) * theta / rate
        theta = (np.clip(z, -0.3, 0.3) - z) / (np.sqrt(after) / rate + 2 * 0.2)
        return theta, {"n": after, "z": z}
    scaled, memory = numpy_scaling(kind, memory, gradient, step)
    return theta - rate * scaled, memory


def numpy_scaling(kind, memory, gradient, step):
    """What the adaptive methods multiply by the rate, and what they keep."""
    if kind == "adagrad":
        s = memory.get("s", 0.2) + gradient**2
        return gradient / np.sqrt(s + 1e-3), {"s": s}
    if kind == "rmsprop":
        s = 0.8 * memory.get("s", 0) + 0.2 * gradient**2
        return gradient / np.sqrt(s + 1e-3), {"s": s}
    m = 0.8 * memory.get("m", 0) + 0.2 * gradient
    if kind == "adamax":
        u = np.maximum(0.95 * memory.get("u", 0), np.abs(gradient))
        return m / ((1 - 0.8**step) * (u + 1e-3)), {"m": m, "u": u}
    s = 0.95 * memory.get("s", 0) + 0.05 * gradient**2
    mean, memory = m / (1 - 0.8**step), {"m": m, "s": s}
    if kind.startswith("nadam"):
        decay = 0.1 if kind == "nadam" else 1.0
        momenta = 0.8 * (1 - 0.96 ** (decay * np.arange(1, step + 2)) / 2)
        now, ahead = np.prod(momenta[:-1]), np.prod(momenta)
        mean = momenta[-1] * m / (1 - ahead) + (1 - momenta[-2]) * gradient / (1 - now)
    return mean / (np.sqrt(s / (1 - 0.95**step)) + 1e-3), memory


def numpy_linear(data, kind, weights, order, rate, momentum):
    """Train x W + b on the mean squared error, all by hand; return the weights."""
    theta = np.append(weights["output/kernel"][:, 0], weights["output/bias"])
    memory = {}
    for step in range(order.size // ROWS * STEPS):
        epoch, batch = divmod(step, STEPS)
        rows = order[epoch][batch * BATCH : (batch + 1) * BATCH]
        inputs = np.column_stack([data.train.inputs[rows], np.ones(len(rows))])
        gradient = 2 * inputs.T @ (inputs @ theta - data.train.labels[rows]) / len(rows)
        theta, memory = numpy_update(
            kind, theta, memory, gradient, rate[step], momentum[step], step + 1
        )
    return theta


@pytest.mark.parametrize("kind", TABLES)
def test_optimizer_is_the_canonical_equation_under_rates_that_change(double, kind):
    seeds, epochs = [3, 4], 8
    data = examples("targets")
    generator = np.random.default_rng(1)
    rates = generator.uniform(0.005, 0.05, (2, epochs * STEPS))
    momenta = generator.uniform(0.5, 0.95, (2, epochs * STEPS))
    cohort = started(double, LINEAR, seeds, data, optimizer={"name": kind} | TABLES[kind])
    first, orders = initial_weights(LINEAR, FEATURES, seeds), []
    for epoch in range(epochs):
        now = slice(epoch * STEPS, (epoch + 1) * STEPS)
        steps = plan(LINEAR, seeds, epoch, rates[:, now], momenta[:, now])
        orders.append(steps.order)
        cohort.train(steps)
    ended = cohort.weights()
    for lane in range(2):
        lane_first = {name: value[lane] for name, value in first.items()}
        order = np.stack([order[lane] for order in orders])
        theta = numpy_linear(data, kind, lane_first, order, rates[lane], momenta[lane])
        ours = np.append(ended["output/kernel"][lane, :, 0], ended["output/bias"][lane])
        np.testing.assert_allclose(ours, theta, rtol=1e-11)


PLAIN = {
    "sgd": ({"name": "sgd"}, optax.sgd(0.1)),
    "momentum": ({"name": "momentum", "momentum": 0.9}, optax.sgd(0.1, momentum=0.9)),
    "nesterov": (
        {"name": "nesterov", "momentum": 0.9},
        optax.sgd(0.1, momentum=0.9, nesterov=True),
    ),
    "adam": (
        {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
        optax.adam(0.1, b1=0.9, b2=0.999, eps=1e-7),
    ),
    "adagrad": (
        {"name": "adagrad", "accumulator": 0.1, "epsilon": 1e-7},
        optax.adagrad(0.1, initial_accumulator_value=0.1, eps=1e-7),
    ),
    "rmsprop": (
        {"name": "rmsprop", "rho": 0.9, "epsilon": 1e-7},
        optax.rmsprop(0.1, decay=0.9, eps=1e-7, eps_in_sqrt=True),
    ),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_solo_lane_is_the_plain_flax_and_optax_model(double, kind):
    """At a constant rate, where Optax's own classes are the canonical equations; 24 steps."""
    data, epochs = examples(), 8
    plain = nn.Sequential([nn.Dense(9), jax.nn.selu, nn.Dense(3)])
    names = {"hidden1": "layers_0", "output": "layers_2"}
    weights = initial_weights(SMALL, FEATURES, [5])
    theirs = {
        theirs: {part: jnp.asarray(weights[f"{ours}/{part}"][0]) for part in ("kernel", "bias")}
        for ours, theirs in names.items()
    }
    table, optimizer = PLAIN[kind]

    def loss(parameters, inputs, labels):
        logits = plain.apply({"params": parameters}, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(parameters, state, inputs, labels):
        value, gradient = jax.value_and_grad(loss)(parameters, inputs, labels)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    state, losses = optimizer.init(theirs), []
    for epoch in range(epochs):
        for rows in np.split(plan(SMALL, [5], epoch).order[0], range(BATCH, ROWS, BATCH)):
            inputs, labels = data.train.inputs[rows], data.train.labels[rows]
            theirs, state, value = step(theirs, state, inputs, labels)
            losses.append(float(value))
    ours, ended = trained(double, SMALL, [5], epochs, data, optimizer=table)
    np.testing.assert_allclose(ours[0], losses, rtol=1e-10)
    reference = {
        f"{name}/{part}": np.asarray(theirs[layer][part])[None]
        for name, layer in names.items()
        for part in ("kernel", "bias")
    }
    assert distance(ended, reference) < 1e-9


# Noise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers_of_random123(single, key, counter, words):
    vectors = [jnp.full(1, word, jnp.uint32) for word in key + counter]
    for ours in (noises.threefry2x32_p.bind(*vectors), noises.threefry(*vectors)):
        assert tuple(int(word[0]) for word in ours) == words


@pytest.mark.parametrize("step", [0, 70_001, 2**32 - 1])
def test_noise_is_bit_identical_to_its_definition(single, step):
    elements = {"one": 1, "four": 4, "six": 6, "many": 333, "alone": 4 * noises.LARGE_NOISE + 1}
    generator = np.random.default_rng(2)
    keys = {label: generator.integers(0, 2**32, (3, 2), dtype=np.uint32) for label in elements}
    counts = {label: definition.blocks(count) for label, count in elements.items()}

    def draw(keys):
        words = noises.words(keys, jnp.uint32(step), counts)
        return {label: noises.halves(words[label], (elements[label],)) for label in elements}

    ours = jax.vmap(draw)(jax.tree.map(jnp.asarray, keys))
    for label, count in elements.items():
        expected = definition.halves(keys[label], step, count)
        np.testing.assert_array_equal(np.asarray(ours[label]), expected)
        assert ours[label].dtype == expected.dtype


def test_the_half_that_is_the_threshold_is_kept(single):
    words = [jnp.asarray([high << 16 | low], jnp.uint32) for low, high in ((0, 99), (100, 65535))]
    dropped = noises.dropout(jnp.ones((2, 2)), tuple(words), jnp.int32(100), jnp.asarray(1.5))
    np.testing.assert_array_equal(dropped, [[0, 0], [1.5, 1.5]])


def test_dropout_drops_the_shared_noise_in_training_and_nothing_in_evaluation(double):
    """Dropout on the inputs of a linear model: gradient and loss by hand."""
    rate, step, seeds = 0.3, 11, [1, 2, 3]
    net = network(outputs=1, activation="linear", dropout=rate)
    data = examples("targets")
    cohort = started(double, net, seeds, data)
    keys = noise_keys(net, seeds)
    rows = np.stack([np.arange(lane, lane + 10) for lane in range(3)]).astype(np.int32)
    gradient = cohort.gradient(Batch(rows, keys, step))
    kept = definition.kept(keys["dropout1"], step, 10, FEATURES, rate)
    kernel = initial_weights(net, FEATURES, seeds)["output/kernel"]
    for lane in range(3):
        inputs = data.train.inputs[rows[lane]] * kept[lane] * definition.keep_scale(rate)
        error = inputs @ kernel[lane][:, 0] - data.train.labels[rows[lane]]
        np.testing.assert_allclose(
            gradient["output/kernel"][lane][:, 0], 2 * inputs.T @ error / 10, rtol=1e-12
        )
    plain = np.mean((data.valid.inputs @ kernel[0][:, 0] - data.valid.labels) ** 2)
    np.testing.assert_allclose(cohort.evaluate("valid", ("loss",)).metrics["loss"][0], plain)


def test_the_noise_of_a_step_is_counted_from_the_first_step_of_the_plan(double):
    net = network((8, "relu"), dropout=0.4)
    whole = plan(net, [1, 2], rows=2 * BATCH)
    at_once = started(double, net, [1, 2]).train(whole).loss
    cohort = started(double, net, [1, 2])
    for step in range(2):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        part = replace(
            whole, order=whole.order[:, rows], rate=whole.rate[:, step : step + 1], step=step
        )
        np.testing.assert_allclose(cohort.train(part).loss[:, 0], at_once[:, step], rtol=1e-12)


# Losses, metrics, gradients ---------------------------------------------------------------------


def logits_of(weights, inputs, lane):
    """Return the logits of one selu layer and an output, in plain NumPy."""
    layer = {name: value[lane] for name, value in weights.items()}
    values = inputs @ layer["hidden1/kernel"] + layer["hidden1/bias"]
    negative = SELU_ALPHA * np.expm1(np.minimum(values, 0))
    values = SELU_SCALE * np.where(values > 0, values, negative)
    return values @ layer["output/kernel"] + layer["output/bias"]


@pytest.mark.parametrize(
    ("split", "elements"), [("train", 1 << 22), ("valid", 1 << 22), ("valid", 60), ("test", 225)]
)
def test_softmax_scores_are_the_closed_form_in_chunks_or_whole(
    double, monkeypatch, split, elements
):
    monkeypatch.setitem(cohorts.EVALUATION_ELEMENTS, "cpu", elements)
    data, seeds = examples(), [1, 2, 3]
    cohort = started(double, SMALL, seeds, data)
    ask = cohort.score if split == "test" else lambda *a, **k: cohort.evaluate(split, *a, **k)
    scores = ask(("loss", "accuracy"), probabilities=True)
    part = getattr(data, split)
    for lane in range(3):
        exponentials = np.exp(logits_of(initial_weights(SMALL, FEATURES, seeds), part.inputs, lane))
        expected = exponentials / exponentials.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(scores.probabilities[lane], expected, rtol=1e-10)
        loss = -np.log(expected[np.arange(len(part)), part.labels]).mean()
        accuracy = np.mean(expected.argmax(axis=1) == part.labels)
        np.testing.assert_allclose(scores.metrics["loss"][lane], loss, rtol=1e-10)
        np.testing.assert_allclose(scores.metrics["accuracy"][lane], accuracy, rtol=1e-15)


def test_logistic_scores_are_the_closed_form(double):
    net = network((9, "selu"), outputs=1, activation="logistic")
    data, seeds = examples("binary"), [1, 2]
    cohort = started(double, net, seeds, data)
    scores = cohort.evaluate("valid", ("accuracy", "loss"), probabilities=True)
    labels = data.valid.labels
    for lane in range(2):
        logits = logits_of(initial_weights(net, FEATURES, seeds), data.valid.inputs, lane)[:, 0]
        positive = 1 / (1 + np.exp(-logits))
        np.testing.assert_allclose(scores.probabilities[lane][:, 0], positive, rtol=1e-10)
        loss = -np.mean(np.where(labels == 1, np.log(positive), np.log(1 - positive)))
        np.testing.assert_allclose(scores.metrics["loss"][lane], loss, rtol=1e-10)
        accuracy = np.mean((positive > 0.5) == (labels == 1))
        np.testing.assert_allclose(scores.metrics["accuracy"][lane], accuracy, rtol=1e-15)


def test_ties_go_to_the_first_class_and_to_class_0(single):
    for net, kind in (
        (network(), "classes"),
        (network(outputs=1, activation="logistic"), "binary"),
    ):
        data = examples(kind)
        zeros = {
            name: np.zeros_like(value)
            for name, value in initial_weights(net, FEATURES, [1]).items()
        }
        cohort = started(single, net, [1], data, zeros)
        accuracy = cohort.evaluate("valid", ("accuracy",)).metrics["accuracy"]
        np.testing.assert_allclose(accuracy, np.mean(data.valid.labels == 0))


def test_a_linear_output_has_no_accuracy(single):
    cohort = started(single, LINEAR, [1], examples("targets"))
    with pytest.raises(RequestError, match="linear output, which has no accuracy"):
        cohort.evaluate("valid", ("loss", "accuracy"))


@pytest.mark.parametrize(
    ("hidden", "outputs", "activation", "kind"),
    [
        ("elu", 3, "softmax", "classes"),
        ("tanh", 1, "logistic", "binary"),
        ("leaky_relu", 1, "linear", "targets"),
    ],
)
def test_gradient_is_the_slope_of_the_loss(double, hidden, outputs, activation, kind):
    """Central differences: lanes 0 and 1 are one weight moved up and down."""
    net = network((6, hidden), outputs=outputs, activation=activation, dropout=0.2)
    data, width = examples(kind), 1e-6
    rows = np.arange(10, dtype=np.int32)[None].repeat(2, axis=0)
    keys = {label: key.repeat(2, axis=0) for label, key in noise_keys(net, [1]).items()}
    first = {n: v.repeat(2, axis=0) for n, v in initial_weights(net, FEATURES, [1]).items()}
    cohort = started(double, net, [1, 1], data, first)
    gradient = cohort.gradient(Batch(rows, keys, 4))
    still = EpochPlan(rows, 10, np.zeros((2, 1)), None, keys, 4)
    for name, value in first.items():
        moved = value.copy()
        moved.reshape(2, -1)[:, -1] += [width, -width]
        cohort.begin(phase(net), first | {name: moved})
        up, down = cohort.train(still).loss[:, 0]
        slope = gradient[name][0].reshape(-1)[-1]
        np.testing.assert_allclose((up - down) / (2 * width), slope, rtol=1e-6, atol=1e-9)


# Phases and programs ----------------------------------------------------------------------------


def test_frozen_layers_stay_and_have_no_gradient(single):
    cohort = started(single, SMALL, [1, 2], frozen=("hidden1",), optimizer="nesterov")
    before = cohort.weights()
    gradient = cohort.gradient(Batch(plan(SMALL, [1, 2]).order))
    cohort.train(plan(SMALL, [1, 2]))
    after = cohort.weights()
    assert list(before) == list(after) == list(SMALL.shapes(FEATURES))
    assert list(gradient) == ["output/kernel", "output/bias"]
    for name in before:
        assert np.array_equal(before[name], after[name]) == name.startswith("hidden1")


def test_a_second_cohort_and_a_second_phase_compile_nothing():
    backend = entry.open(Settings(threads=2))

    def tuned(alpha, rate):
        return network((9, {"name": "leaky_relu", "alpha": alpha}), dropout=rate, name=f"{alpha}")

    def everything(net, **optimizer):
        cohort.begin(
            phase(net, {"name": "adam"} | optimizer), initial_weights(net, FEATURES, [1, 2])
        )
        trace = cohort.train(plan(net, [1, 2], rate=0.01))
        scores = cohort.evaluate("valid", ("loss", "accuracy"))
        assert (trace.compile_seconds > 0) == (trace.compilations > 0)
        return trace.compilations, scores.compilations, trace.loss

    cohort = backend.cohort(tuned(0.1, 0.2), examples(), 2)
    *compiled, first = everything(tuned(0.1, 0.2))
    assert compiled == [1, 1]
    *compiled, second = everything(tuned(0.3, 0.5), beta1=0.5, beta2=0.7, epsilon=0.1)
    assert compiled == [0, 0]
    assert not np.allclose(first, second)
    cohort = backend.cohort(tuned(0.1, 0.2), examples(seed=1), 2)
    assert everything(tuned(0.1, 0.2))[:2] == (0, 0)
    cohort.begin(phase(tuned(0.1, 0.2)), initial_weights(tuned(0.1, 0.2), FEATURES, [1, 2]))
    assert cohort.train(plan(tuned(0.1, 0.2), [1, 2])).compilations == 1


def test_a_phase_of_another_structure_is_refused(single):
    cohort = started(single, SMALL, [1])
    other = network((8, "selu"))
    with pytest.raises(RequestError, match="another structure"):
        cohort.begin(phase(other), initial_weights(other, FEATURES, [1]))


def test_data_stay_on_the_device_and_only_the_latest_are_kept(single):
    for seed in range(CACHED_TASKS + 2):
        trained(single, SMALL, [1], data=examples(seed=seed))
    before = single.data.cache.of(examples(seed=seed))
    trained(single, SMALL, [1], data=examples(seed=seed))
    placed = single.data.cache.of(examples(seed=seed))
    assert len(single.data.cache) == CACHED_TASKS
    assert all(before[key] is placed[key] for key in before)


def test_the_threads_share_the_data_without_copies(single):
    data = examples(seed=9)
    trained(single, SMALL, [1, 2], data=data)
    for inputs, _ in single.data.cache.of(data).values():
        assert len(inputs.addressable_shards) == 2
        places = {shard.data.unsafe_buffer_pointer() for shard in inputs.addressable_shards}
        assert len(places) == 1


def test_weights_are_copies_and_the_first_weights_are_left_alone(single):
    first = initial_weights(SMALL, FEATURES, [1, 2, 3])
    kept = {name: value.copy() for name, value in first.items()}
    cohort = started(single, SMALL, [1, 2, 3], weights=first)
    before = cohort.weights()
    held = {name: value.copy() for name, value in before.items()}
    cohort.train(plan(SMALL, [1, 2, 3]))
    for name, shape in SMALL.shapes(FEATURES).items():
        np.testing.assert_array_equal(first[name], kept[name])
        np.testing.assert_array_equal(before[name], held[name])
        assert before[name].shape == (3, *shape)
        assert before[name].dtype == np.float32
        assert before[name].flags.writeable


# Lanes ------------------------------------------------------------------------------------------

NOISY = network((9, "relu"), dropout=0.2)


@pytest.mark.parametrize(
    ("precision", "epochs", "tolerance"), [("single", 4, 1e-5), ("double", 20, 1e-9)]
)
def test_a_lane_is_the_training_of_its_seed_alone(request, precision, epochs, tolerance):
    backend = request.getfixturevalue(precision)
    together, ended = trained(backend, NOISY, [1, 2, 3], epochs, optimizer="adam", rate=0.01)
    for lane, seed in ((0, 1), (2, 3)):
        alone, alone_ended = trained(backend, NOISY, [seed], epochs, optimizer="adam", rate=0.01)
        np.testing.assert_allclose(together[lane], alone[0], rtol=tolerance)
        lane_ended = {name: value[lane : lane + 1] for name, value in ended.items()}
        assert distance(lane_ended, alone_ended) < tolerance


def test_a_lane_that_turns_nan_leaves_the_others_bit_identical(single):
    seeds = [1, 2, 3]
    sound = initial_weights(NOISY, FEATURES, seeds)
    sick = {name: value.copy() for name, value in sound.items()}
    sick["hidden1/kernel"][1, 0, 0] = np.nan
    losses, ended = trained(single, NOISY, seeds, weights=sound, optimizer="adam")
    sick_losses, sick_ended = trained(single, NOISY, seeds, weights=sick, optimizer="adam")
    assert np.isnan(sick_losses[1]).all()
    others = [0, 2]
    np.testing.assert_array_equal(losses[others], sick_losses[others])
    for name in ended:
        np.testing.assert_array_equal(ended[name][others], sick_ended[name][others])


def test_every_lane_has_its_own_rates(double):
    rates = np.array([0.0, 0.1, 0.2])[:, None] * np.ones(STEPS)
    _, ended = trained(double, SMALL, [1, 1, 1], 1, rate=rates)
    first = initial_weights(SMALL, FEATURES, [1])
    for lane, rate in enumerate(rates[:, 0]):
        _, alone = trained(double, SMALL, [1], 1, rate=rate)
        lane_ended = {name: value[lane : lane + 1] for name, value in ended.items()}
        assert distance(lane_ended, alone) < 1e-12
        assert (distance(alone, first) == 0) == (rate == 0)


def test_the_same_plan_twice_is_bit_identical(single):
    runs = [trained(single, NOISY, [1, 2, 3], optimizer="adam") for _ in range(2)]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    for name, value in runs[0][1].items():
        np.testing.assert_array_equal(value, runs[1][1][name])


# Devices ----------------------------------------------------------------------------------------


def test_lanes_side_by_side_as_on_a_gpu_are_the_lanes_one_by_one(double, monkeypatch):
    """The program a GPU gets, run on the CPU."""
    one_by_one = trained(double, NOISY, [1, 2, 3], 7, optimizer="adam", rate=0.01)
    monkeypatch.setattr(devices.OpenDevice, "kind", "cuda")
    on_gpu = entry.open(Settings(precision="float64", threads=2))
    side_by_side = trained(on_gpu, NOISY, [1, 2, 3], 7, optimizer="adam", rate=0.01)
    np.testing.assert_allclose(side_by_side[0], one_by_one[0], rtol=1e-9)
    assert distance(side_by_side[1], one_by_one[1]) < 1e-9


def test_cuda_where_there_is_none_says_what_there_is_and_what_to_do(single):
    if any(found.platform == "gpu" for found in jax.devices()):
        pytest.skip("there is a GPU")
    with pytest.raises(RequestError, match=r"sees only: cpu.*device 'cpu'.*jax-cuda"):
        entry.open(Settings(device="cuda"))
    assert entry.open(Settings(device="auto")).describe().device == "cpu"


def test_the_environment_names_versions_device_and_switches(single):
    described = single.describe()
    assert described.backend == "jax"
    assert described.versions["jax"] == jax.__version__
    assert {"jaxlib", "flax", "optax", "numpy"} <= set(described.versions)
    assert (described.device, described.threads) == ("cpu", 2)
    assert described.switches["deterministic"] is True
    assert single.peak_memory() == 0
    assert entry.unsupported(None) is None
