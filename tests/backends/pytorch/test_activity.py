"""PyTorch's activity of layers, against NumPy."""

import numpy as np
import pytest

from manyseeds.backend.values import Batch
from manyseeds.randomness import noise as reference
from manyseeds.techniques import augmentation

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch.device import OpenDevice  # noqa: E402
from tests.backends.pytorch.technique_toy import (  # noqa: E402
    AUGMENTATION,
    FAMILIAR,
    FEATURES,
    ROWS,
    SIDE,
    a_network,
    a_phase,
    a_plan,
    begun,
    first_batch,
    first_weights,
    noise_keys,
    some_data,
)


@pytest.mark.parametrize("bound", [1, 1 << 22])
def test_activity_describes_the_outputs_of_each_layer(double, bound, monkeypatch):
    monkeypatch.setattr(OpenDevice, "activation_elements", bound)
    hidden = (
        {"name": "dropout", "rate": 0.4},
        {"name": "dense", "units": 6, "activation": "relu"},
        {"name": "skip", "of": "hidden1"},
    )
    network = a_network(hidden, "logistic", 1)
    data = some_data("logistic")
    weights = first_weights(network, 3)
    weights["hidden1/bias"][:, 2] = -100.0
    cohort = begun(double, a_phase(network), 3, weights, data)
    rows = np.tile(np.arange(ROWS, dtype=np.int32), (3, 1))
    batch = Batch(rows=rows, noise=noise_keys(network, 3), step=6)
    for training in (False, True):
        activities = cohort.activity(batch, training=training)
        assert list(activities) == ["dropout1", "hidden1", "skip1", "output"]
        values = {"dropout1": data.train.inputs[rows]}
        if training:
            mask = reference.kept(batch.noise["dropout1"], 6, ROWS, FEATURES, 0.4)
            values["dropout1"] = values["dropout1"] * mask * reference.keep_scale(0.4)
        z = values["dropout1"] @ weights["hidden1/kernel"] + weights["hidden1/bias"][:, None]
        values["hidden1"] = np.maximum(z, 0)
        values["skip1"] = 2 * values["hidden1"]
        logits = values["skip1"] @ weights["output/kernel"] + weights["output/bias"][:, None]
        values["output"] = 1 / (1 + np.exp(-logits))
        for label, value in values.items():
            activity = activities[label]
            np.testing.assert_allclose(activity.mean, value.mean(1).mean(1), rtol=1e-11)
            np.testing.assert_allclose(activity.sd, value.std(1).mean(1), rtol=1e-11)
            np.testing.assert_array_equal(activity.dead, (value == 0).all(1).mean(1))
        assert (activities["hidden1"].dead >= 1 / 6).all()


def test_activity_changes_images_in_training_alone(double):
    network = a_network(({"name": "activation", "function": "linear"}, *FAMILIAR))
    phase = a_phase(network, augmentation=AUGMENTATION)
    batch = first_batch(a_plan(phase, 2))
    cohort = begun(double, phase, 2)
    images = some_data().train.inputs[batch.rows]
    plain = cohort.activity(batch, training=False)["activation1"].mean
    np.testing.assert_allclose(plain, images.mean((1, 2)), rtol=1e-12)
    changed = cohort.activity(batch, training=True)["activation1"].mean
    seen = [
        augmentation.augmented(images[lane].reshape(-1, SIDE, SIDE), batch.changes[lane])
        for lane in range(2)
    ]
    np.testing.assert_allclose(changed, np.mean(seen, (1, 2, 3)), rtol=1e-11)
