"""The JAX wing's layers, penalties, clipping, augmentation and scores, one property after another.

Against PyTorch, closed forms, and the definitions of noise and augmentation in NumPy.
"""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import jax
import jax.numpy as jnp

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Batch, EpochPlan, Sampling, Split, Splits
from manyseeds.randomness import noise as definition
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds.techniques.augmentation import augmented
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import image_changes, initial_weights, noise_keys
from manyseeds_jax import cohort as cohorts
from manyseeds_jax import device as devices
from manyseeds_jax import entry, losses, optimizers
from manyseeds_jax import noise as noises
from manyseeds_jax.augmentation import DeviceChanges
from manyseeds_jax.augmentation import augmented as changed
from manyseeds_jax.clipping import clipped, shortened
from manyseeds_jax.network_layout import NetworkLayout

SEEDS = [1, 2, 3]
ROWS, FEATURES, BATCH, STEPS = 48, 9, 16, 3
OUTPUT = {"name": "dense", "units": 3, "activation": "softmax"}
LINEAR = {"name": "dense", "units": 1}


@pytest.fixture(scope="module")
def single():
    return entry.open(Settings(threads=2))


@pytest.fixture(scope="module")
def double():
    return entry.open(Settings(precision="float64", threads=2))


def network(*layers):
    return Network(name="net", layers=layers)


def examples(net, test=23):
    generator = np.random.default_rng(0)
    splits = []
    for count in (ROWS, 30, test):
        labels = {
            "sparse_cross_entropy": generator.integers(0, 3, count),
            "binary_cross_entropy": generator.integers(0, 2, count),
            "mean_squared_error": generator.normal(size=count),
        }[net.loss]
        splits.append(Split(generator.normal(size=(count, FEATURES)), labels))
    return Splits(*splits, key=f"techniques-{net.loss}-{test}")


def keys(net, seeds=SEEDS):
    return noise_keys(net, {"dropout": seeds, "augment": seeds})


def phase(net, **fields):
    fields = {
        "name": "phase",
        "epochs": 1,
        "rate": 0.1,
        "batch": BATCH,
        "optimizer": "sgd",
    } | fields
    return Phase(task=Task(name="task", dataset="made up"), network=net, **fields)


def started(backend, net, weights=None, seeds=SEEDS, data=None, **fields):
    cohort = backend.cohort(net, data or examples(net), len(seeds))
    first = initial_weights(net, FEATURES, seeds) if weights is None else weights
    cohort.begin(phase(net, **fields), first)
    return cohort


def plan(net, seeds=SEEDS, epoch=0, rate=0.1):
    order = np.stack([np.random.default_rng((seed, epoch)).permutation(ROWS) for seed in seeds])
    return EpochPlan(
        order=order.astype(np.int32),
        batch=BATCH,
        rate=np.full((len(seeds), STEPS), rate),
        momentum=np.full((len(seeds), STEPS), 0.9),
        noise=keys(net, seeds),
        step=epoch * STEPS,
    )


def one_step(net, seeds=SEEDS, rate=0.1):
    whole = plan(net, seeds, rate=rate)
    return replace(
        whole, order=whole.order[:, :BATCH], rate=whole.rate[:, :1], momentum=whole.momentum[:, :1]
    )


def batch_of(plan):
    return Batch(plan.order[:, : plan.batch], plan.noise, plan.step)


def lane_of(weights, lane):
    return {name: value[lane] for name, value in weights.items()}


def perturbed(net, seeds=SEEDS):
    """First weights, moved so that no variable is what it starts at."""
    generator = np.random.default_rng(3)
    first = initial_weights(net, FEATURES, seeds)
    return {name: value + generator.uniform(0.1, 0.4, value.shape) for name, value in first.items()}


# Batch normalisation ----------------------------------------------------------------------------

NORMALISED = network({"name": "batch_norm", "momentum": 0.7, "epsilon": 0.02}, LINEAR)


def test_batch_norm_is_pytorchs_in_a_training_step(double):
    torch = pytest.importorskip("torch")
    first, data, steps = perturbed(NORMALISED), examples(NORMALISED), one_step(NORMALISED)
    cohort = started(double, NORMALISED, first)
    ours = cohort.gradient(batch_of(steps))
    loss = cohort.train(steps).loss[:, 0]
    for lane in range(3):
        theirs = {n: torch.tensor(v, requires_grad=True) for n, v in lane_of(first, lane).items()}
        rows = steps.order[lane]
        normal = torch.nn.functional.batch_norm(
            torch.tensor(data.train.inputs[rows]),
            *(None, None),
            theirs["batch_norm1/gamma"],
            theirs["batch_norm1/beta"],
            training=True,
            eps=0.02,
        )
        error = normal @ theirs["output/kernel"] + theirs["output/bias"]
        error = ((error[:, 0] - torch.tensor(data.train.labels[rows])) ** 2).mean()
        error.backward()
        np.testing.assert_allclose(loss[lane], error.item(), rtol=1e-12)
        for name, value in ours.items():
            np.testing.assert_allclose(value[lane], theirs[name].grad, rtol=1e-9, atol=1e-13)


def test_batch_norm_moves_its_averages_by_the_biased_variance_of_the_real_rows(double):
    """Over an epoch whose last batch is smaller."""
    first, data, whole = perturbed(NORMALISED), examples(NORMALISED), plan(NORMALISED)
    steps = replace(whole, order=whole.order[:, :44])
    cohort = started(double, NORMALISED, first)
    cohort.train(steps)
    ended = cohort.weights()
    assert list(ended) == list(NORMALISED.variables(FEATURES))
    for lane in range(3):
        mean, variance = (first[f"batch_norm1/moving_{n}"][lane] for n in ("mean", "variance"))
        for rows in np.split(steps.order[lane], range(BATCH, 44, BATCH)):
            inputs = data.train.inputs[rows]
            mean = 0.7 * mean + (1 - 0.7) * inputs.mean(axis=0)
            variance = 0.7 * variance + (1 - 0.7) * inputs.var(axis=0)
        np.testing.assert_allclose(ended["batch_norm1/moving_mean"][lane], mean, rtol=1e-12)
        np.testing.assert_allclose(ended["batch_norm1/moving_variance"][lane], variance, rtol=1e-12)


def normalised_loss(weights, split, rows):
    """The loss of `NORMALISED` with its moving averages, in plain NumPy."""
    sd = np.sqrt(weights["batch_norm1/moving_variance"] + 0.02)
    normal = (split.inputs[rows] - weights["batch_norm1/moving_mean"]) / sd
    normal = normal * weights["batch_norm1/gamma"] + weights["batch_norm1/beta"]
    output = normal @ weights["output/kernel"] + weights["output/bias"]
    return np.mean((output[:, 0] - split.labels[rows]) ** 2)


def test_batch_norm_predicts_with_its_moving_averages(double):
    first, data = perturbed(NORMALISED), examples(NORMALISED)
    found = started(double, NORMALISED, first).evaluate("valid", ("loss",)).metrics["loss"]
    for lane in range(3):
        expected = normalised_loss(lane_of(first, lane), data.valid, slice(None))
        np.testing.assert_allclose(found[lane], expected, rtol=1e-12)


def test_a_frozen_batch_norm_uses_its_moving_averages_and_they_stay(double):
    first, data, steps = perturbed(NORMALISED), examples(NORMALISED), plan(NORMALISED)
    cohort = started(double, NORMALISED, first, frozen=("batch_norm1",))
    gradient = cohort.gradient(batch_of(steps))
    loss = cohort.train(steps).loss
    assert list(gradient) == ["output/kernel", "output/bias"]
    for lane in range(3):
        rows = steps.order[lane, :BATCH]
        expected = normalised_loss(lane_of(first, lane), data.train, rows)
        np.testing.assert_allclose(loss[lane, 0], expected, rtol=1e-12)
    for name, value in cohort.weights().items():
        assert np.array_equal(value, first[name]) == name.startswith("batch_norm1")


# Noise ------------------------------------------------------------------------------------------


def test_the_gradient_sees_each_layers_noise_as_it_is_defined(double):
    """A layer that disturbs the inputs of a linear model: gradient by hand."""
    rate, rows, step = 0.3, np.arange(10, dtype=np.int32), 5
    a, b = definition.alpha_affine(rate)
    net = network({"name": "alpha_dropout", "rate": rate}, LINEAR)
    noise = keys(net)["alpha_dropout1"]
    kept = definition.kept(noise, step, 10, FEATURES, rate)
    _check_disturbed(
        double, net, step, lambda x, lane: a * np.where(kept[lane], x, definition.SELU_FLOOR) + b
    )
    net = network({"name": "gaussian_noise", "sd": 0.4}, LINEAR)
    drawn = definition.normals(keys(net)["noise1"], step, 10 * FEATURES).reshape(3, 10, FEATURES)
    _check_disturbed(double, net, step, lambda x, lane: x + 0.4 * drawn[lane])
    net = network({"name": "activation", "function": {"name": "rrelu", "lower": 0.2}}, LINEAR)
    slopes = definition.slopes(keys(net)["activation1"], step, 10, FEATURES, 0.2, 1 / 3)
    _check_disturbed(double, net, step, lambda x, lane: np.where(x > 0, x, slopes[lane] * x))
    assert len(rows) == 10


def _check_disturbed(backend, net, step, disturb):
    data, first = examples(net), initial_weights(net, FEATURES, SEEDS)
    rows = np.stack([np.arange(lane, lane + 10) for lane in range(3)]).astype(np.int32)
    gradient = started(backend, net).gradient(Batch(rows, keys(net), step))
    for lane in range(3):
        inputs = disturb(data.train.inputs[rows[lane]], lane)
        error = inputs @ first["output/kernel"][lane][:, 0] - data.train.labels[rows[lane]]
        expected = 2 * inputs.T @ error / 10
        np.testing.assert_allclose(gradient["output/kernel"][lane][:, 0], expected, rtol=1e-11)


def test_drop_connect_drops_weights_and_not_their_bias(double):
    net = network(LINEAR | {"drop_connect": {"rate": 0.4}})
    data, first, noise = examples(net), perturbed(net), keys(net)
    rows, step = np.tile(np.arange(10, dtype=np.int32), (3, 1)), 7
    gradient = started(double, net, first).gradient(Batch(rows, noise, step))
    kept = definition.kept(noise["output/kernel"], step, FEATURES, 1, 0.4)
    for lane in range(3):
        mask = kept[lane] * definition.keep_scale(0.4)
        inputs = data.train.inputs[:10]
        output = inputs @ (first["output/kernel"][lane] * mask) + first["output/bias"][lane]
        slope = 2 * (output - data.train.labels[:10, None]) / 10
        np.testing.assert_allclose(
            gradient["output/kernel"][lane], inputs.T @ slope * mask, rtol=1e-11
        )
        np.testing.assert_allclose(gradient["output/bias"][lane], slope.sum(axis=0), rtol=1e-11)
    assert 0 < kept.mean() < 1


def test_a_rrelu_predicts_with_the_mean_slope_and_nothing_else_disturbs_it(double):
    disturbing = ({"name": "alpha_dropout", "rate": 0.5}, {"name": "gaussian_noise"})
    rrelu = {"name": "activation", "function": {"name": "rrelu", "lower": 0.1, "upper": 0.5}}
    net = network(*disturbing, rrelu, LINEAR | {"drop_connect": {}})
    data, first = examples(net), perturbed(net)
    found = started(double, net, first).evaluate("valid", ("loss",)).metrics["loss"]
    inputs = np.where(data.valid.inputs > 0, data.valid.inputs, 0.3 * data.valid.inputs)
    for lane in range(3):
        output = inputs @ first["output/kernel"][lane] + first["output/bias"][lane]
        expected = np.mean((output[:, 0] - data.valid.labels) ** 2)
        np.testing.assert_allclose(found[lane], expected, rtol=1e-12)


def test_alpha_dropout_keeps_mean_and_variance_under_selu(double):
    normal = np.random.default_rng(4).normal(size=(500, 400))
    values = SELU_SCALE * np.where(normal > 0, normal, SELU_ALPHA * np.expm1(np.minimum(normal, 0)))
    key = {"layer": jnp.asarray([3, 4], jnp.uint32)}
    words = noises.words(key, jnp.uint32(0), {"layer": definition.blocks(values.size)})["layer"]
    a, b = definition.alpha_affine(0.3)
    dropped = noises.alpha_dropout(
        jnp.asarray(values), words, jnp.int32(definition.threshold(0.3)), a, b
    )
    np.testing.assert_allclose(dropped.mean(), 0, atol=0.01)
    np.testing.assert_allclose(dropped.var(), 1, atol=0.01)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 2e-5)])
def test_normals_are_those_of_the_definition(double, dtype, tolerance):
    key = np.array([[7, 8]], np.uint32)
    counts = {"layer": definition.normal_blocks(1001)}
    words = noises.words({"layer": jnp.asarray(key[0])}, jnp.uint32(9), counts)["layer"]
    ours = noises.normals(words, (7, 143), np.dtype(dtype))
    assert ours.dtype == dtype
    expected = definition.normals(key, 9, 1001).reshape(7, 143)
    np.testing.assert_allclose(ours, expected, atol=tolerance)


# Skip, scale, prelu -----------------------------------------------------------------------------

RESIDUAL = network(
    {"name": "dense", "units": FEATURES, "activation": "prelu"},
    "scale",
    {"name": "skip", "of": "input"},
    {"name": "activation", "function": "tanh"},
    {"name": "skip", "of": "hidden1"},
    LINEAR,
)


def test_skips_scales_and_learned_slopes_are_pytorchs(double):
    torch = pytest.importorskip("torch")
    first, data = perturbed(RESIDUAL), examples(RESIDUAL)
    rows = np.tile(np.arange(10, dtype=np.int32), (3, 1))
    ours = started(double, RESIDUAL, first).gradient(Batch(rows))
    assert list(ours) == list(RESIDUAL.trained())
    for lane in range(3):
        theirs = {n: torch.tensor(v, requires_grad=True) for n, v in lane_of(first, lane).items()}
        inputs = torch.tensor(data.train.inputs[:10])
        hidden = inputs @ theirs["hidden1/kernel"] + theirs["hidden1/bias"]
        hidden = torch.nn.functional.prelu(hidden, theirs["hidden1/slope"])
        values = torch.tanh(hidden * theirs["scale1/multiplier"] + inputs) + hidden
        output = values @ theirs["output/kernel"] + theirs["output/bias"]
        ((output[:, 0] - torch.tensor(data.train.labels[:10])) ** 2).mean().backward()
        for name, value in ours.items():
            np.testing.assert_allclose(value[lane], theirs[name].grad, rtol=1e-10, atol=1e-14)


# Penalties and constraints ----------------------------------------------------------------------

PENALISED = network(
    {"name": "dense", "units": 5, "activation": "tanh", "penalty": {"name": "l1", "l1": 0.03}},
    {"name": "dense", "units": 4, "penalty": {"name": "l2", "l2": 0.02}},
    OUTPUT | {"penalty": {"name": "l1_l2", "l1": 0.01, "l2": 0.05}},
)
PLAIN = network(
    {"name": "dense", "units": 5, "activation": "tanh"}, {"name": "dense", "units": 4}, OUTPUT
)
FACTORS = {"hidden1": (0.03, 0), "hidden2": (0, 0.02), "output": (0.01, 0.05)}


def penalties(weights, lane):
    kernels = {label: weights[f"{label}/kernel"][lane] for label in FACTORS}
    return sum(
        l1 * np.abs(kernels[label]).sum() + l2 * np.square(kernels[label]).sum()
        for label, (l1, l2) in FACTORS.items()
    )


@pytest.mark.parametrize("frozen", [(), ("hidden1",)])
def test_penalties_are_apart_from_the_loss_and_in_the_gradient_of_what_is_trained(double, frozen):
    first = initial_weights(PLAIN, FEATURES, SEEDS)
    first["hidden1/kernel"][:, 0] = 0  # where the derivative of |w| is 0
    plain = started(double, PLAIN, first, frozen=frozen)
    ours = started(double, PENALISED, first, frozen=frozen)
    steps = plan(PLAIN)
    without, found = plain.gradient(batch_of(steps)), ours.gradient(batch_of(steps))
    for name in without:
        l1, l2 = FACTORS[name.split("/")[0]] if name.endswith("kernel") else (0, 0)
        expected = without[name] + l1 * np.sign(first[name]) + 2 * l2 * first[name]
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-16)
    trace, plain_trace = ours.train(steps), plain.train(steps)
    assert plain_trace.penalty is None
    assert trace.penalty.shape == (3, STEPS)
    np.testing.assert_allclose(trace.loss[:, 0], plain_trace.loss[:, 0], rtol=1e-13)
    for lane in range(3):
        np.testing.assert_allclose(trace.penalty[lane, 0], penalties(first, lane), rtol=1e-12)


def test_max_norm_shortens_the_columns_that_are_too_long_and_no_row(double):
    kernel = np.array([[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]])
    np.testing.assert_allclose(shortened(jnp.asarray(kernel), 1.0), [[0.6, 0.3, 0], [0.8, 0.4, 0]])


def test_max_norm_comes_after_the_step_of_what_is_trained(double):
    layers = [{"name": "dense", "units": 5, "max_norm": {"radius": 0.6}} for _ in range(2)]
    limited = network(*layers, OUTPUT)
    plain = network({"name": "dense", "units": 5}, {"name": "dense", "units": 5}, OUTPUT)
    steps = one_step(plain)
    first = initial_weights(plain, FEATURES, SEEDS)
    for cohort in (
        found := [started(double, n, first, frozen=("hidden2",)) for n in (plain, limited)]
    ):
        cohort.train(steps)
    free, ours = (cohort.weights() for cohort in found)
    lengths = np.linalg.norm(free["hidden1/kernel"], axis=1, keepdims=True)
    assert (lengths > 0.6).any()
    expected = free["hidden1/kernel"] * np.minimum(1, 0.6 / lengths)
    np.testing.assert_allclose(ours["hidden1/kernel"], expected, rtol=1e-12)
    for name in ("hidden1/bias", "hidden2/kernel", "output/kernel"):
        np.testing.assert_array_equal(ours[name], free[name])


def test_zeros_that_are_kept_stay_and_only_those(single):
    first = initial_weights(PLAIN, FEATURES, SEEDS)
    for lane in range(3):
        first["hidden1/kernel"][lane, lane] = 0
    cohort = started(single, PLAIN, first, optimizer="adam", keep_zeros=True)
    for epoch in range(3):
        cohort.train(plan(PLAIN, epoch=epoch))
    for name, value in cohort.weights().items():
        if name.endswith("/kernel"):
            np.testing.assert_array_equal(value == 0, first[name] == 0)
        else:
            assert (value != 0).all()


# Clipping ---------------------------------------------------------------------------------------

WHOLE = (0.9**2 + 100**2 + 173.2**2) ** 0.5


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("clip_value", ([0.9, 1.0], [1.0])),
        ("clip_norm", ([0.00899964, 0.9999595], [1.0])),
        ("global_clip_norm", ([0.9 / WHOLE, 100 / WHOLE], [173.2 / WHOLE])),
        (None, ([0.9, 100.0], [173.2])),
    ],
)
def test_clipping_is_the_chapters_example(double, kind, expected):
    gradient = {"a": jnp.array([0.9, 100.0]), "b": jnp.array([173.2])}
    layout = NetworkLayout.of(PLAIN, FEATURES, ())
    found = clipped(kind, gradient, {"limit": jnp.asarray(1.0)}, layout)
    np.testing.assert_allclose(found["a"], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found["b"], expected[1], rtol=1e-5)
    short = clipped(kind, {"a": jnp.array([0.0, 0.3])}, {"limit": jnp.asarray(1.0)}, layout)
    np.testing.assert_array_equal(short["a"], [0.0, 0.3])


@pytest.mark.parametrize("kind", ["clip_value", "clip_norm", "global_clip_norm"])
def test_each_lane_is_clipped_by_its_own_gradient_penalties_included(double, kind):
    limit, steps = 0.05, one_step(PENALISED, rate=1.0)
    first = initial_weights(PENALISED, FEATURES, SEEDS)
    first = {
        name: value * np.array([0.1, 1, 4]).reshape(3, *[1] * (value.ndim - 1))
        for name, value in first.items()
    }
    cohort = started(double, PENALISED, first, clipping={"name": kind, "limit": limit})
    gradient = cohort.gradient(batch_of(steps))
    cohort.train(steps)
    ended = cohort.weights()
    for lane in range(3):
        slopes = lane_of(gradient, lane)
        whole = np.sqrt(sum(np.square(slope).sum() for slope in slopes.values()))
        for name, slope in slopes.items():
            expected = {
                "clip_value": np.clip(slope, -limit, limit),
                "clip_norm": slope * min(1, limit / np.linalg.norm(slope)),
                "global_clip_norm": slope * min(1, limit / whole),
            }[kind]
            moved = first[name][lane] - ended[name][lane]
            np.testing.assert_allclose(moved, expected, rtol=1e-9, atol=1e-14)


# Optimizers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "theirs", "options"),
    [
        ("adagrad", "Adagrad", {"initial_accumulator_value": 0.1 + 1e-7, "eps": 0}),
        ("nadam", "NAdam", {"momentum_decay": 0.004, "eps": 1e-7}),
        ("adam", "Adam", {"eps": 1e-7}),
    ],
)
def test_optimizer_is_pytorchs_where_that_is_the_canonical_equation(double, kind, theirs, options):
    torch = pytest.importorskip("torch")
    table = phase(PLAIN, optimizer=kind).optimizer.hyperparameters()
    hyperparameters = {name: np.asarray(value) for name, value in table.items()}
    generator = np.random.default_rng(5)
    first = generator.normal(size=4)
    parameter = torch.nn.Parameter(torch.tensor(first))
    optimizer = getattr(torch.optim, theirs)([parameter], lr=0.03, **options)
    state = optimizers.initial_state(kind, {"w": first[None]}, hyperparameters)
    state, ours = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], state), {"w": jnp.asarray(first)}
    for _ in range(20):
        gradient = generator.normal(size=4)
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        step = optimizers.RULES[kind](jnp.asarray(0.03), jnp.asarray(0.0), hyperparameters)
        updates, state = step.update({"w": jnp.asarray(gradient)}, state, ours)
        ours = {"w": ours["w"] + updates["w"]}
    # PyTorch keeps nadam's product of momenta in float32.
    tolerance = 1e-8 if kind == "nadam" else 1e-12
    np.testing.assert_allclose(ours["w"], parameter.detach().numpy(), rtol=tolerance)


def test_ftrl_makes_weights_exactly_zero(single):
    table = {"name": "ftrl", "l1": 0.5}
    cohort = started(single, PLAIN, optimizer=table)
    for epoch in range(4):
        cohort.train(plan(PLAIN, epoch=epoch))
    share = (cohort.weights()["hidden1/kernel"] == 0).mean()
    assert 0.1 < share <= 1


# Augmentation -----------------------------------------------------------------------------------

WANTED = ("shift", "rotate", "resize", "crop", "horizontal_flip", "contrast", "brightness")


def changes_of(count, seeds=SEEDS, features=FEATURES):
    kinds = phase(PLAIN, augmentation=WANTED).augmentation
    return image_changes("task", kinds, seeds, 0, count, features)


def test_images_are_changed_as_they_are_defined_to_be(double):
    images = np.random.default_rng(6).random((50, 28, 28))
    drawn = changes_of(50, [1], 784)[0]
    parts = (jnp.asarray(part) for part in (drawn.affine, drawn.gain, drawn.offset))
    ours = changed(jnp.asarray(images.reshape(50, 784)), DeviceChanges(*parts))
    np.testing.assert_allclose(
        np.asarray(ours).reshape(images.shape), augmented(images, drawn), rtol=1e-10, atol=1e-12
    )


def test_training_sees_the_changed_images_in_the_order_of_the_changes(double):
    """An epoch on changed images is one on plain images that were changed beforehand."""
    data, steps = examples(PLAIN), plan(PLAIN, [1])
    drawn = changes_of(ROWS, [1])
    images = data.train.inputs[steps.order[0]].reshape(-1, 3, 3)
    inputs = data.train.inputs.copy()
    inputs[steps.order[0]] = augmented(images, drawn[0]).reshape(-1, FEATURES)
    before = replace(data, train=Split(inputs, data.train.labels), key="changed")
    cohort = started(double, PLAIN, seeds=[1], data=before)
    expected = cohort.gradient(batch_of(steps)), cohort.train(steps).loss
    cohort = started(double, PLAIN, seeds=[1])
    batch = replace(batch_of(steps), changes=drawn[:, :BATCH])
    found = cohort.gradient(batch), cohort.train(replace(steps, changes=drawn)).loss
    for name, value in expected[0].items():
        np.testing.assert_allclose(found[0][name], value, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-10)


# Activity ---------------------------------------------------------------------------------------


def three(values):
    return [values.mean(axis=0).mean(), values.std(axis=0).mean(), (values == 0).all(axis=0).mean()]


def test_activity_is_what_leaves_each_layer(double):
    net = network(
        {"name": "dropout", "rate": 0.5},
        "batch_norm",
        {"name": "dense", "units": 6, "activation": "relu"},
        OUTPUT,
    )
    data, first = examples(net), initial_weights(net, FEATURES, SEEDS)
    first["hidden1/bias"][:] = -1.0
    cohort = started(double, net, first)
    rows = np.tile(np.arange(ROWS, dtype=np.int32), (3, 1))
    kept = definition.kept(keys(net)["dropout1"], 2, ROWS, FEATURES, 0.5)
    for training in (True, False):
        found = cohort.activity(Batch(rows, keys(net), 2), training=training)
        assert list(found) == ["dropout1", "batch_norm1", "hidden1", "output"]
        for lane in range(3):
            dropped = data.train.inputs * kept[lane] * 2 if training else data.train.inputs
            mean, variance = (dropped.mean(axis=0), dropped.var(axis=0)) if training else (0, 1)
            normal = (dropped - mean) / np.sqrt(variance + 1e-3)
            weights = lane_of(first, lane)
            hidden = normal @ weights["hidden1/kernel"] + weights["hidden1/bias"]
            hidden = np.maximum(hidden, 0)
            powers = np.exp(hidden @ weights["output/kernel"] + weights["output/bias"])
            outputs = (dropped, normal, hidden, powers / powers.sum(axis=1, keepdims=True))
            for values, activity in zip(outputs, found.values(), strict=True):
                ours = [activity.mean[lane], activity.sd[lane], activity.dead[lane]]
                np.testing.assert_allclose(ours, three(values), rtol=1e-10, atol=1e-14)
    for name, value in cohort.weights().items():
        np.testing.assert_array_equal(value, first[name])


# Monte Carlo dropout ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "output", [OUTPUT, {"name": "dense", "units": 1, "activation": "logistic"}]
)
@pytest.mark.parametrize("rows", [1000, 10])
def test_sampled_scores_are_means_over_samples_of_the_defined_noise(monkeypatch, output, rows):
    monkeypatch.setattr(cohorts, "SAMPLING_ROWS", rows)
    backend = entry.open(Settings(precision="float64", threads=2))
    net = network(
        {"name": "dropout", "rate": 0.4}, {"name": "gaussian_noise"}, "batch_norm", output
    )
    data, first = examples(net), perturbed(net)
    samples, pieces = 4, -(-len(data.test) // rows)
    noise = {"dropout1": keys(net)["dropout1"]}
    cohort = started(backend, net, first)
    scores = cohort.score(
        ("loss", "accuracy"), probabilities=True, sampling=Sampling(samples, noise)
    )
    for lane in range(3):
        weights, means = lane_of(first, lane), []
        for piece in range(pieces):
            inputs = data.test.inputs[piece * rows : (piece + 1) * rows]
            found = 0
            for sample in range(samples):
                step = sample * pieces + piece
                kept = definition.kept(noise["dropout1"], step, len(inputs), FEATURES, 0.4)[lane]
                dropped = inputs * kept * definition.keep_scale(0.4)
                sd = np.sqrt(weights["batch_norm1/moving_variance"] + 1e-3)
                normal = (dropped - weights["batch_norm1/moving_mean"]) / sd
                normal = normal * weights["batch_norm1/gamma"] + weights["batch_norm1/beta"]
                logits = normal @ weights["output/kernel"] + weights["output/bias"]
                powers = np.exp(logits)
                total = powers.sum(axis=1, keepdims=True) if len(logits[0]) > 1 else 1 + powers
                found = found + powers / total / samples
            means.append(found)
        means, labels = np.concatenate(means), data.test.labels
        np.testing.assert_allclose(scores.probabilities[lane], means, rtol=1e-10)
        if means.shape[1] == 1:
            means = np.concatenate([1 - means, means], axis=1)
        loss = -np.log(means[np.arange(len(labels)), labels]).mean()
        np.testing.assert_allclose(scores.metrics["loss"][lane], loss, rtol=1e-10)
        right = (means.argmax(axis=1) == labels).mean()
        np.testing.assert_allclose(scores.metrics["accuracy"][lane], right)


def test_a_certain_and_right_sample_has_no_loss(double):
    sure = jnp.array([[1.0], [0.0]])
    found = losses.losses_of_probabilities("binary_cross_entropy", sure, jnp.array([1.0, 0.0]))
    np.testing.assert_array_equal(found, [0, 0])


# Lanes and programs -----------------------------------------------------------------------------


def everything(momentum=0.9, radius=0.7, l1=1e-3, rate=0.2, epsilon=1e-3, sd=0.1):
    return network(
        {"name": "batch_norm", "momentum": momentum, "epsilon": epsilon},
        {"name": "gaussian_noise", "sd": sd},
        {
            "name": "dense",
            "units": FEATURES,
            "activation": {"name": "rrelu", "upper": 0.3 + rate},
            "max_norm": {"radius": radius},
            "penalty": {"name": "l1", "l1": l1},
            "drop_connect": {"rate": rate},
        },
        {"name": "skip", "of": "batch_norm1"},
        {"name": "alpha_dropout", "rate": rate},
        OUTPUT,
    )


EVERYTHING = everything()


def trained(backend, seeds=SEEDS, weights=None, epochs=2):
    clipping = {"name": "global_clip_norm", "limit": 0.5}
    fields = {"optimizer": "nadam", "clipping": clipping}
    cohort = started(backend, EVERYTHING, weights, seeds, **fields)
    drawn = changes_of(ROWS, seeds)
    plans = [plan(EVERYTHING, seeds, epoch, 0.01) for epoch in range(epochs)]
    found = [cohort.train(replace(each, changes=drawn)) for each in plans]
    return np.concatenate([trace.loss for trace in found], axis=1), cohort.weights()


def test_a_lane_is_the_training_of_its_seed_alone(double):
    together, ended = trained(double, epochs=20)
    for lane, seed in ((0, 1), (2, 3)):
        alone, alone_ended = trained(double, [seed], epochs=20)
        np.testing.assert_allclose(together[lane], alone[0], rtol=1e-9)
        for name, value in ended.items():
            np.testing.assert_allclose(value[lane], alone_ended[name][0], rtol=1e-9, atol=1e-12)


def test_a_lane_that_turns_nan_leaves_the_others_bit_identical(single):
    sound = initial_weights(EVERYTHING, FEATURES, SEEDS)
    sick = {name: value.copy() for name, value in sound.items()}
    sick["hidden1/kernel"][1, 0, 0] = np.nan
    losses, ended = trained(single, weights=sound)
    sick_losses, sick_ended = trained(single, weights=sick)
    assert np.isnan(sick_losses[1]).all()
    others = [0, 2]
    np.testing.assert_array_equal(losses[others], sick_losses[others])
    for name in ended:
        np.testing.assert_array_equal(ended[name][others], sick_ended[name][others])


def test_lanes_side_by_side_as_on_a_gpu_are_the_lanes_one_by_one(double, monkeypatch):
    """The programs a GPU gets, run on the CPU."""
    one_by_one = trained(double, epochs=20)
    batch = batch_of(plan(NORMALISED))

    def spread(backend):
        activity = started(backend, NORMALISED).activity(batch, training=True)
        return [each.sd for each in activity.values()]

    first = spread(double)
    monkeypatch.setattr(devices.OpenDevice, "kind", "cuda")
    on_gpu = entry.open(Settings(precision="float64", threads=2))
    side_by_side = trained(on_gpu, epochs=20)
    np.testing.assert_allclose(side_by_side[0], one_by_one[0], rtol=1e-9)
    for name, value in side_by_side[1].items():
        np.testing.assert_allclose(value, one_by_one[1][name], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(spread(on_gpu), first, rtol=1e-10)


def test_other_numbers_compile_nothing():
    backend = entry.open(Settings(threads=2))

    def run(net, optimizer, limit, samples):
        cohort = backend.cohort(EVERYTHING, examples(EVERYTHING), 3)
        fields = {"clipping": {"name": "clip_value", "limit": limit}, "keep_zeros": True}
        weights = initial_weights(net, FEATURES, SEEDS)
        cohort.begin(phase(net, optimizer=optimizer, **fields), weights)
        trace = cohort.train(plan(net))
        batch = batch_of(plan(net))
        cohort.gradient(batch)
        for training in (True, False):
            cohort.activity(batch, training=training)
        cohort.evaluate("valid", ("loss",))
        cohort.score(("loss",), sampling=Sampling(samples, keys(net)))
        return trace.loss

    first = run(EVERYTHING, {"name": "ftrl"}, 1.0, 2)
    compiled = backend.compiled().programs
    assert compiled == 6
    other = everything(momentum=0.5, radius=0.1, l1=0.1, rate=0.4, epsilon=0.1, sd=0.5)
    second = run(other, {"name": "ftrl", "l1": 0.1, "l2": 0.1, "accumulator": 0.3}, 0.01, 3)
    assert backend.compiled().programs == compiled
    assert not np.allclose(first, second)
