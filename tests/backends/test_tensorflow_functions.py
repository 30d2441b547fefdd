"""The TensorFlow wing's functions of tensors against NumPy's definitions and libraries' classes."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytest.importorskip("tensorflow")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from manyseeds.backend.hyperparameters import network_hyperparameters, optimizer_hyperparameters
from manyseeds.backend.settings import Settings
from manyseeds.randomness import noise as definition
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import augmentation as definition_of_changes
from manyseeds.techniques import layers, regularisation
from manyseeds.techniques.network import Network
from manyseeds_tensorflow import clipping, entry, losses, noise, optimizers, penalties
from manyseeds_tensorflow.augmentation import DeviceChanges, augmented
from manyseeds_tensorflow.layers import ForwardPass, LaneAlphaDropout, LaneBatchNorm

KEYS = np.array([[0, 0], [1, 2**32 - 1], [123456789, 987654321]], np.uint32)


@pytest.fixture(scope="module", autouse=True)  # before TensorFlow is first used
def backend():
    return entry.open(Settings(precision="float64"))


def constants(numbers):
    return {name: tf.constant(value, tf.float64) for name, value in numbers.items()}


@pytest.mark.parametrize(("batch", "units"), [(3, 5), (11, 93)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 3e-6)])
def test_normals_are_those_of_the_definition_in_a_padded_batch_too(batch, units, dtype, tolerance):
    drawn = tf.function(
        lambda key, step, rows: noise.normals(key, step, rows, (3, batch, units), dtype),
        jit_compile=True,
        autograph=False,
    )
    for step, rows in ((0, batch), (2**32 - 1, batch), (3, 1), (3, -(-batch // 2))):
        found = drawn(tf.constant(KEYS), tf.constant(step, tf.uint32), tf.constant(rows)).numpy()
        wanted = definition.normals(KEYS, step, rows * units, np.dtype(dtype))
        np.testing.assert_allclose(
            found[:, :rows].reshape(3, -1), wanted, rtol=tolerance, atol=tolerance
        )


def test_noise_of_a_batch_that_is_not_padded_is_the_same():
    step, shape = tf.constant(7, tf.uint32), (3, 5, 7)
    halves = noise.halves(tf.constant(KEYS), step, 5, shape)
    np.testing.assert_array_equal(tf.reshape(halves, [3, -1]), definition.halves(KEYS, 7, 35))
    np.testing.assert_array_equal(
        halves, noise.halves(tf.constant(KEYS), step, tf.constant(5), shape)
    )
    np.testing.assert_array_equal(
        noise.normals(tf.constant(KEYS), step, 5, shape, tf.float64),
        noise.normals(tf.constant(KEYS), step, tf.constant(5), shape, tf.float64),
    )


KERAS_OPTIMIZERS = {
    "adagrad": (
        {"accumulator": 0.25, "epsilon": 2**-10},
        lambda rate: keras.optimizers.Adagrad(rate, 0.25, epsilon=2**-10),
    ),
    "rmsprop": (
        {"rho": 0.875, "epsilon": 2**-10},
        lambda rate: keras.optimizers.RMSprop(rate, rho=0.875, epsilon=2**-10),
    ),
    "adamax": (
        {"beta1": 0.875, "beta2": 0.9375, "epsilon": 2**-10},
        lambda rate: keras.optimizers.Adamax(rate, 0.875, 0.9375, epsilon=2**-10),
    ),
    "nadam_keras3": (
        {"beta1": 0.875, "beta2": 0.9375, "epsilon": 2**-10, "decay": 1.0},
        lambda rate: keras.optimizers.Nadam(rate, 0.875, 0.9375, epsilon=2**-10),
    ),
    "ftrl": (
        {"l1": 0.125, "l2": 0.25, "accumulator": 0.5},
        lambda rate: keras.optimizers.Ftrl(
            rate,
            initial_accumulator_value=0.5,
            l1_regularization_strength=0.125,
            l2_regularization_strength=0.25,
        ),
    ),
}
"""Numbers that float32 holds exactly: Keras casts Python's through it."""


def steps_of(kind, numbers, start, rate, steps):
    """The weights after steps down the slope sin(theta), by our rule."""
    rule, hyperparameters = optimizers.RULES[kind], constants(numbers)
    theta, product = tf.constant(start), tf.ones([2, 1, 1], tf.float64)
    slots = optimizers.first_slots(rule, {"theta": theta}, hyperparameters)["theta"]
    for step in range(steps):
        number = tf.constant(step + 1.0, tf.float64)
        if rule.scheduled:
            product *= rule.scheduled(number, hyperparameters)
        now = optimizers.OptimizerStep(
            number=number,
            rate=tf.fill([2, 1, 1], tf.constant(rate, tf.float64)),
            momentum=tf.zeros([2, 1, 1], tf.float64),
            hyperparameters=hyperparameters,
            product=(product,),
        )
        theta, slots = rule.update(now)(theta, tf.sin(theta), slots)
    return theta.numpy()


@pytest.mark.parametrize("kind", KERAS_OPTIMIZERS)
def test_the_rules_are_keras_optimizers(kind):
    numbers, make = KERAS_OPTIMIZERS[kind]
    start, rate = np.random.default_rng(1).normal(size=(2, 3, 4)), 0.03125
    own = make(lambda: tf.constant(rate, tf.float64))
    variable = keras.Variable(start, dtype="float64")
    for _ in range(20):
        own.apply([tf.sin(variable.value)], [variable])
    # Keras' Nadam casts its 0.96 through float32.
    tolerance = 3e-8 if kind == "nadam_keras3" else 1e-12
    found = steps_of(kind, numbers, start, rate, 20)
    np.testing.assert_allclose(found, variable.numpy(), rtol=tolerance, atol=tolerance)


def test_nadam_is_pytorch_s():
    torch = pytest.importorskip("torch")
    start = np.random.default_rng(2).normal(size=(2, 3, 4))
    theta = torch.tensor(start, requires_grad=True)
    own = torch.optim.NAdam([theta], lr=0.03, betas=(0.8, 0.95), eps=1e-3, momentum_decay=0.004)
    for _ in range(30):
        theta.grad = torch.sin(theta.detach())
        own.step()
    numbers = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "decay": 0.004}
    found = steps_of("nadam", numbers, start, 0.03, 30)
    # PyTorch keeps the product of the momenta in float32.
    np.testing.assert_allclose(found, theta.detach().numpy(), rtol=1e-8, atol=1e-8)


def test_ftrl_makes_weights_exactly_zero():
    start = np.random.default_rng(3).normal(size=(2, 3, 4))
    found = steps_of("ftrl", {"l1": 5.0, "l2": 0.0, "accumulator": 0.1}, start, 0.1, 3)
    assert (found == 0).any()
    assert (found != 0).any()


def test_the_rules_cover_the_suite():
    from manyseeds.techniques import registry

    known = {
        registry.technique_name(cls) for cls in registry.techniques() if cls.kind == "optimizer"
    }
    assert set(optimizers.RULES) == known


LARGE = np.array([0.9, 100.0])


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("clip_value", [0.9, 1.0]),
        ("clip_norm", [0.00899964, 0.9999595]),
        ("global_clip_norm", [0.00899964, 0.9999595]),
    ],
)
def test_clipping_is_the_chapter_s_example_in_each_lane(kind, wanted):
    small = np.array([0.3, -0.4])
    gradient = {"w": tf.constant(np.stack([LARGE, small, 0 * small])[:, None])}
    found = clipping.clipped(kind, gradient, constants({"limit": 1.0}))["w"].numpy()[:, 0]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-6)
    np.testing.assert_array_equal(found[1:], [small, 0 * small])  # within the limit: untouched


def test_clipping_by_norm_is_keras_of_each_variable_and_globally_of_all():
    draw = np.random.default_rng(0)
    gradient = {"a": draw.normal(size=(1, 3, 4)), "b": draw.normal(size=(1, 1, 5))}
    for kind, option in (("clip_norm", "clipnorm"), ("global_clip_norm", "global_clipnorm")):
        plain = keras.optimizers.SGD(1.0, **{option: 0.5})
        variables = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in gradient.values()]
        plain.apply([tf.constant(g) for g in gradient.values()], variables)
        found = clipping.clipped(
            kind, {n: tf.constant(g) for n, g in gradient.items()}, constants({"limit": 0.5})
        )
        for ours, theirs in zip(found.values(), variables, strict=True):
            np.testing.assert_allclose(ours, -theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("kind", ["clip_value", "clip_norm", "global_clip_norm"])
def test_clipping_leaves_nan_where_it_is(kind):
    gradient = {"w": np.ones((2, 2, 2))}
    gradient["w"][1, 0, 0] = np.nan
    found = tf.function(clipping.clipped, jit_compile=True)(
        kind, {"w": tf.constant(gradient["w"])}, constants({"limit": 0.5})
    )["w"].numpy()
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1, 0, 0])


def test_max_norm_is_keras_along_the_incoming_weights():
    kernel = np.random.default_rng(4).normal(size=(1, 6, 5)) * [0.1, 1, 2, 0, 0.2]
    wanted = keras.constraints.MaxNorm(1.0, axis=0)(kernel[0])  # Keras adds 1e-7 to the norm
    net = Network.model_validate(
        {"name": "n", "layers": [{"name": "dense", "units": 5, "max_norm": {"radius": 1.0}}]}
    )
    hyperparameters = {"output": constants({"radius": 1.0})}
    found = clipping.constrained(net, {"output/kernel": tf.constant(kernel)}, hyperparameters)
    np.testing.assert_allclose(found["output/kernel"][0], wanted, rtol=1e-6)
    for within in (0, 3, 4):
        np.testing.assert_array_equal(found["output/kernel"][0, :, within], kernel[0, :, within])


KINDS = ("shift", "rotate", "resize", "crop", "horizontal_flip", "contrast", "brightness")


@pytest.mark.parametrize("names", [("shift",), ("horizontal_flip",), KINDS])
def test_images_change_as_the_definition_says(names):
    task = Task(name="t", dataset="made", valid=1)
    net = Network.model_validate({"name": "n", "layers": [{"name": "dense", "units": 1}]})
    phase = Phase(name="p", task=task, network=net, epochs=1, rate=1.0, augmentation=names)
    draw, side = np.random.default_rng(5), 9
    images = draw.random((6, side, side))
    changes = [definition_of_changes.draw_changes(phase.augmentation, draw, 6, (side, side))] * 2
    stacked = DeviceChanges(
        *(np.stack([getattr(c, field) for c in changes]) for field in DeviceChanges._fields)
    )
    rows = np.array([[3, 1, 5, 0, 2, 4], [2, 2, 0, 1, 5, 3]], np.int32)
    found = tf.function(augmented, jit_compile=True)(
        tf.constant(images.reshape(6, -1)),
        tf.constant(rows),
        tf.nest.map_structure(tf.constant, stacked),
    )
    for lane in range(2):
        wanted = definition_of_changes.augmented(images[rows[lane]], changes[lane])
        np.testing.assert_allclose(found[lane], wanted.reshape(6, -1), rtol=1e-12, atol=1e-13)


def test_an_image_moved_far_away_is_black():
    affine = np.tile(np.eye(2, 3), (1, 1, 1, 1))
    affine[..., 2] = 100
    numbers = (affine, np.ones((1, 1)), np.zeros((1, 1)))
    moved = DeviceChanges(*map(tf.constant, numbers))
    np.testing.assert_array_equal(
        augmented(tf.ones([1, 16], tf.float64), tf.constant([[0]]), moved), 0
    )


def test_alpha_dropout_keeps_mean_and_variance():
    inputs = np.random.default_rng(6).normal(size=(1, 1000, 1000))
    stack = [{"name": "alpha_dropout", "rate": 0.3}, {"name": "dense", "units": 1}]
    net = Network.model_validate({"name": "n", "layers": stack})
    hyperparameters = network_hyperparameters(net, np.dtype("float64"))["alpha_dropout1"]
    forward = ForwardPass(
        tf.constant(0, tf.uint32), 1000, {"alpha_dropout1": tf.constant(KEYS[:1])}
    )
    layer = LaneAlphaDropout("alpha_dropout1", dtype="float64")
    found = layer(tf.constant(inputs), hyperparameters=hyperparameters, forward=forward).numpy()
    assert found.mean() == pytest.approx(0, abs=5e-3)
    assert found.var() == pytest.approx(1, abs=5e-3)
    dropped = ~definition.kept(KEYS[:1], 0, 1000, 1000, 0.3)
    assert np.unique(found[dropped]).size == 1
    np.testing.assert_array_equal(
        layer(tf.constant(inputs), hyperparameters=hyperparameters), inputs
    )


def test_batch_norm_is_keras_in_both_modes_with_rows_that_do_not_count():
    draw = np.random.default_rng(8)
    inputs, rows = draw.normal(2, 3, size=(1, 8, 5)), 6
    options = {"momentum": 0.875, "epsilon": 2**-6}
    theirs = keras.layers.BatchNormalization(**options, dtype="float64")
    ours = LaneBatchNorm("bn", dtype="float64")
    theirs.build((None, 5))
    ours.build((1, None, 5))
    for variable, same in ((ours.gamma, theirs.gamma), (ours.beta, theirs.beta)):
        value = draw.normal(size=5)
        variable.assign(value[None, None])
        same.assign(value)
    hyperparameters, forward = (
        constants(options),
        ForwardPass(tf.constant(0, tf.uint32), tf.constant(rows), {}),
    )
    for _ in range(3):
        found = ours(tf.constant(inputs), hyperparameters=hyperparameters, forward=forward)[
            0, :rows
        ]
        wanted = theirs(inputs[0, :rows], training=True)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    for variable, same in (
        (ours.mean, theirs.moving_mean),
        (ours.variance, theirs.moving_variance),
    ):
        np.testing.assert_allclose(variable.numpy()[0, 0], same.numpy(), rtol=1e-9)
    np.testing.assert_allclose(
        ours(tf.constant(inputs), hyperparameters=hyperparameters)[0],
        theirs(inputs[0], training=False),
        rtol=1e-9,
    )


def test_penalties_are_keras_and_flat_at_zero():
    kernel = np.random.default_rng(9).normal(size=(2, 3, 4))
    kernel[0, 0, 0] = 0
    l1, l2 = 0.25, 0.5
    penalty = regularisation.L1L2(l1=l1, l2=l2)
    net = Network(name="n", layers=(layers.Dense(units=4, penalty=penalty),))
    weights = {"output/kernel": tf.constant(kernel)}
    with tf.GradientTape() as tape:
        tape.watch(weights)
        found = penalties.penalty(net, weights, network_hyperparameters(net, np.dtype("float64")))
    for lane in range(2):
        wanted = keras.regularizers.L1L2(l1, l2)(kernel[lane])
        assert float(found[lane]) == pytest.approx(float(wanted), rel=1e-6)
    slope = tape.gradient(found, weights)["output/kernel"]
    np.testing.assert_allclose(slope, l1 * np.sign(kernel) + 2 * l2 * kernel, rtol=1e-14)
    assert slope[0, 0, 0] == 0


def test_the_loss_of_probabilities_is_that_of_logits():
    draw = np.random.default_rng(10)
    for kind, units, labels in (
        ("sparse_cross_entropy", 3, draw.integers(0, 3, (2, 5)).astype(np.int32)),
        ("binary_cross_entropy", 1, draw.integers(0, 2, (2, 5)).astype(float)),
        ("mean_squared_error", 1, draw.normal(size=(2, 5))),
    ):
        logits, targets = tf.constant(draw.normal(size=(2, 5, units))), tf.constant(labels)
        found = losses.losses_of_probabilities(kind, losses.probabilities(kind, logits), targets)
        np.testing.assert_allclose(found, losses.losses(kind, logits, targets), rtol=1e-12)


def test_a_certain_and_right_probability_costs_nothing():
    labels, sure = tf.constant([[0.0, 1.0]]), tf.constant([[[0.0], [1.0]]])
    found = losses.losses_of_probabilities("binary_cross_entropy", sure, labels)
    np.testing.assert_array_equal(found, [[0.0, 0.0]])


def test_optimizer_knobs_are_what_the_rules_ask_for():
    from manyseeds.techniques import optimizers as known

    # FTRL keeps the root of the sum of squares.
    for kind, start in ((known.Adagrad, 0.1), (known.Ftrl, np.sqrt(0.1))):
        rule = optimizers.RULES[kind().name]
        hyperparameters = optimizer_hyperparameters(kind(), np.dtype("float64"))
        slots = optimizers.first_slots(
            rule, {"w": tf.zeros([2, 3, 4], tf.float64)}, hyperparameters
        )["w"]
        np.testing.assert_array_equal(slots[0], np.full((2, 3, 4), start))
