"""The NumPy reference: layers and augmentation against their definitions."""

import numpy as np
import pytest
from manyseeds_numpy.layers import Mode, forward

from manyseeds.backend.values import Batch
from manyseeds.randomness import noise
from manyseeds.techniques.activations import SELU_ALPHA, SELU_SCALE
from manyseeds.techniques.augmentation import augmented
from manyseeds.techniques.layers import AlphaDropout, BatchNorm, GaussianNoise
from manyseeds.techniques.network_streams import image_changes, initial_weights
from tests.backend.numpy_cohorts import (
    CLASSES,
    FEATURES,
    INPUTS,
    LABELS,
    ROWS,
    data,
    dense,
    general_weights,
    make_cohort,
    network,
    phase,
    plan,
)


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
    cohort = make_cohort(phase(net), weights)
    cohort.gradient(Batch(order.astype(np.int32)))
    cohort.evaluate("valid", ("loss",))
    cohort.activity(Batch(order.astype(np.int32)), training=True)
    assert (cohort.weights()["batch_norm1/moving_mean"] == 0).all()
    cohort.train(plan(net, order))
    mean, variance = np.zeros(FEATURES), np.ones(FEATURES)
    for rows in (INPUTS[:8], INPUTS[8:16], INPUTS[16:]):
        mean, variance = (mean + rows.mean(axis=0)) / 2, (variance + rows.var(axis=0)) / 2
    np.testing.assert_allclose(cohort.weights()["batch_norm1/moving_mean"][0], mean)
    np.testing.assert_allclose(cohort.weights()["batch_norm1/moving_variance"][0], variance)


def test_a_frozen_batch_norm_is_as_in_prediction_and_stays():
    net = network("batch_norm", dense(), "batch_norm")
    cohort = make_cohort(phase(net, frozen=("batch_norm1",)), general_weights(net))
    before, epoch = cohort.weights(), plan(net, np.arange(ROWS)[None])
    cohort.train(epoch)
    for name, values in cohort.weights().items():
        assert (values == before[name]).all() == name.startswith("batch_norm1"), name
    batch = Batch(epoch.order)
    trained, predicted = (cohort.activity(batch, training=mode) for mode in (True, False))
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
    weights = general_weights(net, lanes=2)
    epoch = plan(net, np.tile(np.arange(ROWS), (2, 1)), batch=ROWS, rate=0.0, step=5)
    found = make_cohort(phase(net), weights).train(epoch).loss[:, 0]
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
    weights = general_weights(net, lanes=2)
    cohort = make_cohort(phase(net), weights)
    loss = cohort.train(plan(net, order, changes=drawn)).loss
    for lane in range(2):
        images = augmented(INPUTS[order[lane]].reshape(-1, 3, 3), drawn[lane])
        changed = data(inputs=images.reshape(ROWS, -1), labels=CLASSES[order[lane]])
        alone = make_cohort(phase(net), {n: w[[lane]] for n, w in weights.items()}, changed)
        np.testing.assert_allclose(
            loss[[lane]], alone.train(plan(net, np.arange(ROWS)[None])).loss, rtol=1e-12
        )
        for name, values in alone.weights().items():
            np.testing.assert_allclose(cohort.weights()[name][lane], values[0], rtol=1e-10)
