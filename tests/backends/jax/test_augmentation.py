"""The JAX wing's augmentation against its definition in NumPy."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

import jax.numpy as jnp

from manyseeds.backend.values import Split
from manyseeds.techniques.augmentation import augmented as definition
from manyseeds_jax.augmentation import DeviceChanges, augmented
from tests.backends.jax.toy import (
    BATCH,
    FEATURES,
    ROWS,
    SMALL,
    batch_of,
    changes_of,
    examples,
    plan,
    started,
)


def test_images_are_changed_as_augmentation_is_defined(double):
    images = np.random.default_rng(6).random((50, 28, 28))
    drawn = changes_of(50, [1], 784)[0]
    parts = (jnp.asarray(part) for part in (drawn.affine, drawn.gain, drawn.offset))
    ours = augmented(jnp.asarray(images.reshape(50, 784)), DeviceChanges(*parts))
    np.testing.assert_allclose(
        np.asarray(ours).reshape(images.shape), definition(images, drawn), rtol=1e-10, atol=1e-12
    )


def test_training_uses_the_changed_images_in_the_order_of_the_changes(double):
    """An epoch with augmentation equals one on images that were changed beforehand."""
    data, steps = examples(SMALL), plan(SMALL, [1])
    drawn = changes_of(ROWS, [1])
    images = data.train.inputs[steps.order[0]].reshape(-1, 3, 3)
    inputs = data.train.inputs.copy()
    inputs[steps.order[0]] = definition(images, drawn[0]).reshape(-1, FEATURES)
    before = replace(data, train=Split(inputs, data.train.labels), key="changed")
    cohort = started(double, SMALL, seeds=[1], data=before)
    expected = cohort.gradient(batch_of(steps)), cohort.train(steps).loss
    cohort = started(double, SMALL, seeds=[1])
    batch = replace(batch_of(steps), changes=drawn[:, :BATCH])
    ours = cohort.gradient(batch), cohort.train(replace(steps, changes=drawn)).loss
    for name, value in expected[0].items():
        np.testing.assert_allclose(ours[0][name], value, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(ours[1], expected[1], rtol=1e-10)
