"""The JAX wing's lanes: each trains as its seed alone, in groups or side by side."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.techniques.network_streams import initial_weights
from manyseeds_jax.device import OpenDevice
from tests.backends.jax.toy import (
    FEATURES,
    SEEDS,
    SMALL,
    dense_network,
    distance,
    examples,
    trained,
)

NOISY = dense_network((9, "relu"), dropout=0.2)


@pytest.mark.parametrize(
    ("precision", "epochs", "tolerance"), [("single", 4, 1e-5), ("double", 20, 1e-9)]
)
def test_a_lane_is_the_training_of_its_seed_alone(request, precision, epochs, tolerance):
    backend = request.getfixturevalue(precision)
    together, ended = trained(backend, NOISY, [1, 2, 3], epochs, optimizer="adam", rate=0.01)
    for lane, seed in ((0, 1), (2, 3)):
        alone, alone_ended = trained(backend, NOISY, [seed], epochs, optimizer="adam", rate=0.01)
        np.testing.assert_allclose(together[lane], alone[0], rtol=tolerance)
        lane_ended = {name: value[lane : lane + 1] for name, value in ended.items()}
        assert distance(lane_ended, alone_ended) < tolerance


def test_a_lane_that_turns_nan_leaves_the_others_bit_identical(single):
    sound = initial_weights(NOISY, FEATURES, SEEDS)
    sick = {name: value.copy() for name, value in sound.items()}
    sick["hidden1/kernel"][1, 0, 0] = np.nan
    losses, ended = trained(single, NOISY, weights=sound, optimizer="adam")
    sick_losses, sick_ended = trained(single, NOISY, weights=sick, optimizer="adam")
    assert np.isnan(sick_losses[1]).all()
    others = [0, 2]
    np.testing.assert_array_equal(losses[others], sick_losses[others])
    for name in ended:
        np.testing.assert_array_equal(ended[name][others], sick_ended[name][others])


def test_lanes_side_by_side_as_on_a_gpu_are_the_lanes_one_by_one(double, fresh, monkeypatch):
    """The GPU's program runs on the CPU."""
    one_by_one = trained(double, NOISY, [1, 2, 3], 7, optimizer="adam", rate=0.01)
    monkeypatch.setattr(OpenDevice, "kind", "cuda")
    side_by_side = trained(fresh("float64"), NOISY, [1, 2, 3], 7, optimizer="adam", rate=0.01)
    np.testing.assert_allclose(side_by_side[0], one_by_one[0], rtol=1e-9)
    assert distance(side_by_side[1], one_by_one[1]) < 1e-9


def test_the_threads_share_the_data_without_copies(single):
    data = examples(SMALL, seed=9)
    trained(single, SMALL, [1, 2], data=data)
    for inputs, _ in single.data.cache.of(data).values():
        assert len(inputs.addressable_shards) == 2
        places = {shard.data.unsafe_buffer_pointer() for shard in inputs.addressable_shards}
        assert len(places) == 1
