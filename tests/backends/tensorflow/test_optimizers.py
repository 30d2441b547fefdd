"""The update rules against the optimizers of Keras and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")


import keras
import tensorflow as tf

from manyseeds.backend.hyperparameters import optimizer_hyperparameters
from manyseeds_tensorflow import optimizers
from manyseeds_tensorflow import optimizers as lane_optimizers


def constants(numbers):
    return {name: tf.constant(value, tf.float64) for name, value in numbers.items()}


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
    result = steps_of(kind, numbers, start, rate, 20)
    np.testing.assert_allclose(result, variable.numpy(), rtol=tolerance, atol=tolerance)


def test_nadam_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    start = np.random.default_rng(2).normal(size=(2, 3, 4))
    theta = torch.tensor(start, requires_grad=True)
    own = torch.optim.NAdam([theta], lr=0.03, betas=(0.8, 0.95), eps=1e-3, momentum_decay=0.004)
    for _ in range(30):
        theta.grad = torch.sin(theta.detach())
        own.step()
    numbers = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "decay": 0.004}
    result = steps_of("nadam", numbers, start, 0.03, 30)
    # PyTorch keeps the product of the momenta in float32.
    np.testing.assert_allclose(result, theta.detach().numpy(), rtol=1e-8, atol=1e-8)


def test_ftrl_makes_weights_exactly_zero():
    start = np.random.default_rng(3).normal(size=(2, 3, 4))
    result = steps_of("ftrl", {"l1": 5.0, "l2": 0.0, "accumulator": 0.1}, start, 0.1, 3)
    assert (result == 0).any()
    assert (result != 0).any()


def test_there_is_a_rule_for_every_optimizer():
    from manyseeds.techniques import registry

    known = {
        registry.technique_name(cls) for cls in registry.techniques() if cls.kind == "optimizer"
    }
    assert set(optimizers.RULES) == known


def test_accumulators_start_from_their_hyperparameter():
    from manyseeds.techniques import optimizers as known

    # FTRL keeps the root of the sum of squares.
    for kind, start in ((known.Adagrad, 0.1), (known.Ftrl, np.sqrt(0.1))):
        rule = optimizers.RULES[kind().name]
        hyperparameters = optimizer_hyperparameters(kind(), np.dtype("float64"))
        slots = optimizers.first_slots(
            rule, {"w": tf.zeros([2, 3, 4], tf.float64)}, hyperparameters
        )["w"]
        np.testing.assert_array_equal(slots[0], np.full((2, 3, 4), start))


@pytest.mark.parametrize("kind", ["sgd", "momentum", "nesterov"])
def test_the_rules_are_keras_sgd_where_rate_and_momentum_stay(kind):
    start = np.random.default_rng(1).normal(size=(2, 3, 4))
    momentum = 0.0 if kind == "sgd" else 0.875
    step = lane_optimizers.OptimizerStep(
        number=tf.constant(1.0, tf.float64),
        rate=tf.fill([2, 1, 1], tf.constant(0.03, tf.float64)),
        momentum=tf.fill([2, 1, 1], tf.constant(momentum, tf.float64)),
        hyperparameters={},
    )
    plain = keras.optimizers.SGD(
        lambda: tf.constant(0.03, tf.float64), momentum=momentum, nesterov=kind == "nesterov"
    )
    variable = keras.Variable(start, dtype="float64")
    rule = lane_optimizers.RULES[kind]
    theta = tf.constant(start)
    slots = (tf.zeros_like(theta),) * len(rule.starts)
    for _ in range(20):
        plain.apply([tf.sin(variable.value)], [variable])
        theta, slots = rule.update(step)(theta, tf.sin(theta), slots)
    np.testing.assert_allclose(theta, variable.numpy(), rtol=1e-13)
