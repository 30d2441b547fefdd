"""The NumPy reference: a lane is trained as if alone, in the precision of the settings."""

import numpy as np

from manyseeds.backend.values import Batch
from manyseeds.techniques.network_streams import image_changes
from tests.backend.numpy_cohorts import (
    BATCH,
    EVERYTHING,
    FEATURES,
    ROWS,
    general_weights,
    keys,
    make_cohort,
    phase,
    plan,
)


def trained(weights, lanes, precision="float64", steps=60):
    """Train everything at once for some steps and return the cohort."""
    kinds = ("shift", "contrast")
    training_phase = phase(EVERYTHING, "nadam", clipping="global_clip_norm", augmentation=kinds)
    cohort = make_cohort(
        training_phase, {n: w[lanes] for n, w in weights.items()}, precision=precision
    )
    order = np.stack([np.random.default_rng(lane).permutation(ROWS) for lane in lanes])
    changes = image_changes("task", training_phase.augmentation, lanes, 0, ROWS, FEATURES)
    for epoch in range(steps // 3):
        cohort.train(plan(EVERYTHING, order, seeds=lanes, step=3 * epoch, changes=changes))
    return cohort


def test_a_lane_is_trained_as_if_alone():
    weights = general_weights(EVERYTHING, lanes=3)
    together = trained(weights, [0, 1, 2]).weights()
    for lane in range(3):
        for name, values in trained(weights, [lane]).weights().items():
            np.testing.assert_allclose(together[name][lane], values[0], rtol=1e-9, atol=1e-12)


def test_a_lane_of_nan_leaves_the_others_as_they_are():
    weights = general_weights(EVERYTHING, lanes=3)
    healthy = trained(weights, [0, 1, 2], steps=9).weights()
    weights["hidden1/kernel"][1] = np.nan
    for name, values in trained(weights, [0, 1, 2], steps=9).weights().items():
        assert (values[[0, 2]] == healthy[name][[0, 2]]).all(), name
        assert np.isnan(values[1]).any() or name.startswith("batch_norm1/moving"), name


def test_everything_stays_in_the_precision_of_the_settings():
    cohort = trained(general_weights(EVERYTHING, lanes=2), [0, 1], "float32", steps=3)
    rows = np.tile(np.arange(BATCH, dtype=np.int32), (2, 1))
    gradient = cohort.gradient(Batch(rows, keys(EVERYTHING, [0, 1])))
    probabilities = cohort.evaluate("valid", ("loss",), probabilities=True).probabilities
    for values in (*cohort.weights().values(), *gradient.values(), probabilities):
        assert values.dtype == np.float32
