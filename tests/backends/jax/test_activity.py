"""The JAX wing's measurements of its layers against plain NumPy."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.backend.values import Batch
from manyseeds.randomness import noise as definition
from manyseeds.techniques.network_streams import initial_weights
from tests.backends.jax.toy import (
    FEATURES,
    OUTPUT,
    ROWS,
    SEEDS,
    examples,
    keys,
    lane_of,
    network,
    started,
)


def measured(values):
    """Return mean, standard deviation and dead share of outputs [batch, units]."""
    return [values.mean(axis=0).mean(), values.std(axis=0).mean(), (values == 0).all(axis=0).mean()]


def test_activity_describes_the_output_of_each_layer(double):
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
    mask = definition.kept(keys(net)["dropout1"], 2, ROWS, FEATURES, 0.5)
    for training in (True, False):
        activities = cohort.activity(Batch(rows, keys(net), 2), training=training)
        assert list(activities) == ["dropout1", "batch_norm1", "hidden1", "output"]
        for lane in range(3):
            dropped = data.train.inputs * mask[lane] * 2 if training else data.train.inputs
            mean, variance = (dropped.mean(axis=0), dropped.var(axis=0)) if training else (0, 1)
            normal = (dropped - mean) / np.sqrt(variance + 1e-3)
            weights = lane_of(first, lane)
            hidden = normal @ weights["hidden1/kernel"] + weights["hidden1/bias"]
            hidden = np.maximum(hidden, 0)
            powers = np.exp(hidden @ weights["output/kernel"] + weights["output/bias"])
            outputs = (dropped, normal, hidden, powers / powers.sum(axis=1, keepdims=True))
            for values, activity in zip(outputs, activities.values(), strict=True):
                ours = [activity.mean[lane], activity.sd[lane], activity.dead[lane]]
                np.testing.assert_allclose(ours, measured(values), rtol=1e-10, atol=1e-14)
    for name, value in cohort.weights().items():
        np.testing.assert_array_equal(value, first[name])
