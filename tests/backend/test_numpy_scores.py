"""The NumPy reference: Monte Carlo dropout and activity against their definitions."""

from dataclasses import replace

import numpy as np
import pytest

from manyseeds.backend.values import Batch, Sampling
from manyseeds.randomness import noise
from manyseeds.techniques.augmentation import augmented
from manyseeds.techniques.network_streams import image_changes, initial_weights
from tests.backend.numpy_cohorts import (
    FEATURES,
    INPUTS,
    ROWS,
    data,
    dense,
    general_weights,
    keys,
    make_cohort,
    network,
    phase,
)


@pytest.mark.parametrize("kind", ["softmax", "logistic", "linear"])
def test_monte_carlo_dropout_is_the_mean_over_samples_drawn_one_by_one(kind):
    """The network is dropout and one matrix, so that its samples can be written out."""
    rows, samples, units = 2300, 3, 3 if kind == "softmax" else 1
    generator = np.random.default_rng(8)
    labels = generator.integers(0, 2, rows) if kind != "linear" else generator.normal(size=rows)
    splits = data(inputs=generator.normal(size=(rows, FEATURES)), labels=labels)
    net = network({"name": "dropout", "rate": 0.3}, "batch_norm", output=dense(units, kind))
    weights = initial_weights(net, FEATURES, range(2))
    cohort, key = make_cohort(phase(net), weights, splits), keys(net, range(2))["dropout1"]
    metrics = ("loss",) if kind == "linear" else ("loss", "accuracy")
    found = cohort.score(
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
    weights = general_weights(net, lanes=2)
    weights["hidden1/kernel"][0, :, :2] = 0
    weights["hidden1/bias"][0, :2] = -1
    rows = np.tile(np.arange(ROWS, dtype=np.int32), (2, 1))
    found = make_cohort(phase(net), weights).activity(Batch(rows), training=False)
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
    cohort = make_cohort(phase(net), general_weights(net, lanes=2))
    found = cohort.activity(batch, training=True)["dropout1"]
    kept = noise.kept(batch.noise["dropout1"], 4, ROWS, FEATURES, 0.5)
    for lane in range(2):
        images = augmented(INPUTS.reshape(-1, 3, 3), changes[lane]).reshape(ROWS, -1)
        expected = images * kept[lane] * noise.keep_scale(0.5)
        assert found.mean[lane] == pytest.approx(expected.mean())
    plain = cohort.activity(replace(batch, noise={}), training=False)["dropout1"]
    np.testing.assert_allclose(plain.mean, INPUTS.mean())
