"""The JAX wing's lanes in a network with every kind of layer; numbers compile nothing."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.backend.values import Sampling
from manyseeds.techniques.network_streams import initial_weights
from manyseeds_jax.device import OpenDevice
from tests.backends.jax.toy import (
    FEATURES,
    OUTPUT,
    ROWS,
    SEEDS,
    batch_of,
    changes_of,
    examples,
    keys,
    network,
    phase,
    plan,
    started,
    trained,
)


def all_layers(momentum=0.9, radius=0.7, l1=1e-3, rate=0.2, epsilon=1e-3, sd=0.1):
    return network(
        {"name": "batch_norm", "momentum": momentum, "epsilon": epsilon},
        {"name": "gaussian_noise", "sd": sd},
        {
            "name": "dense",
            "units": FEATURES,
            "activation": {"name": "rrelu", "upper": 0.3 + rate},
            "max_norm": {"radius": radius},
            "penalty": {"name": "l1", "l1": l1},
            "drop_connect": {"rate": rate},
        },
        {"name": "skip", "of": "batch_norm1"},
        {"name": "alpha_dropout", "rate": rate},
        OUTPUT,
    )


EVERYTHING = all_layers()


def everything_trained(backend, seeds=SEEDS, epochs=20, weights=None):
    """Return the losses and the weights after training with augmentation and clipping."""
    return trained(
        backend,
        EVERYTHING,
        seeds,
        epochs,
        rate=0.01,
        changes=changes_of(ROWS, seeds),
        weights=weights,
        optimizer="nadam",
        clipping={"name": "global_clip_norm", "limit": 0.5},
    )


def test_a_lane_is_the_training_of_its_seed_alone(double):
    together, ended = everything_trained(double)
    for lane, seed in ((0, 1), (2, 3)):
        alone, alone_ended = everything_trained(double, [seed])
        np.testing.assert_allclose(together[lane], alone[0], rtol=1e-9)
        for name, value in ended.items():
            np.testing.assert_allclose(value[lane], alone_ended[name][0], rtol=1e-9, atol=1e-12)


def test_a_lane_that_turns_nan_leaves_the_others_bit_identical(single):
    sound = initial_weights(EVERYTHING, FEATURES, SEEDS)
    sick = {name: value.copy() for name, value in sound.items()}
    sick["hidden1/kernel"][1, 0, 0] = np.nan
    losses, ended = everything_trained(single, epochs=2, weights=sound)
    sick_losses, sick_ended = everything_trained(single, epochs=2, weights=sick)
    assert np.isnan(sick_losses[1]).all()
    others = [0, 2]
    np.testing.assert_array_equal(losses[others], sick_losses[others])
    for name in ended:
        np.testing.assert_array_equal(ended[name][others], sick_ended[name][others])


def test_lanes_side_by_side_as_on_a_gpu_are_the_lanes_one_by_one(double, fresh, monkeypatch):
    """The GPU's programs run on the CPU."""
    one_by_one = everything_trained(double)
    batch = batch_of(plan(EVERYTHING))

    def deviations(backend):
        activities = started(backend, EVERYTHING).activity(batch, training=True)
        return [activity.sd for activity in activities.values()]

    first = deviations(double)
    monkeypatch.setattr(OpenDevice, "kind", "cuda")
    on_gpu = fresh("float64")
    side_by_side = everything_trained(on_gpu)
    np.testing.assert_allclose(side_by_side[0], one_by_one[0], rtol=1e-9)
    for name, value in side_by_side[1].items():
        np.testing.assert_allclose(value, one_by_one[1][name], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(deviations(on_gpu), first, rtol=1e-10)


def test_other_numbers_compile_nothing(fresh):
    backend = fresh("float32")

    def run(net, optimizer, limit, samples):
        cohort = backend.cohort(EVERYTHING, examples(EVERYTHING), 3)
        fields = {"clipping": {"name": "clip_value", "limit": limit}, "keep_zeros": True}
        weights = initial_weights(net, FEATURES, SEEDS)
        cohort.begin(phase(net, optimizer=optimizer, **fields), weights)
        trace = cohort.train(plan(net))
        batch = batch_of(plan(net))
        cohort.gradient(batch)
        for training in (True, False):
            cohort.activity(batch, training=training)
        cohort.evaluate("valid", ("loss",))
        cohort.score(("loss",), sampling=Sampling(samples, keys(net)))
        return trace.loss

    first = run(EVERYTHING, {"name": "ftrl"}, 1.0, 2)
    compiled = backend.compiled().programs
    assert compiled == 6
    other = all_layers(momentum=0.5, radius=0.1, l1=0.1, rate=0.4, epsilon=0.1, sd=0.5)
    second = run(other, {"name": "ftrl", "l1": 0.1, "l2": 0.1, "accumulator": 0.3}, 0.01, 3)
    assert backend.compiled().programs == compiled
    assert not np.allclose(first, second)
