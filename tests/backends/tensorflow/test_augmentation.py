"""Changed images against the definition in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import augmentation as definition_of_changes
from manyseeds.techniques.network import Network
from manyseeds_tensorflow.augmentation import DeviceChanges, augmented

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
    result = tf.function(augmented, jit_compile=True)(
        tf.constant(images.reshape(6, -1)),
        tf.constant(rows),
        tf.nest.map_structure(tf.constant, stacked),
    )
    for lane in range(2):
        expected = definition_of_changes.augmented(images[rows[lane]], changes[lane])
        np.testing.assert_allclose(result[lane], expected.reshape(6, -1), rtol=1e-12, atol=1e-13)


def test_an_image_moved_far_away_is_black():
    affine = np.tile(np.eye(2, 3), (1, 1, 1, 1))
    affine[..., 2] = 100
    numbers = (affine, np.ones((1, 1)), np.zeros((1, 1)))
    moved = DeviceChanges(*map(tf.constant, numbers))
    np.testing.assert_array_equal(
        augmented(tf.ones([1, 16], tf.float64), tf.constant([[0]]), moved), 0
    )
