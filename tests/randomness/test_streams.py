"""Streams: every draw has an address and does not depend on earlier draws."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyseeds.errors import RequestError
from manyseeds.randomness import streams
from manyseeds.randomness.streams import STREAMS, StreamSeeds, generator, key, stream_seeds
from manyseeds.techniques import network_streams
from manyseeds.techniques.augmentation import Rotate, Shift
from manyseeds.techniques.initialisers import Constant, HeNormal
from manyseeds.techniques.network import Network

GOLDEN_INTEGERS = [521, 430, 714, 77, 650]
GOLDEN_PERMUTATION = [0, 1, 3, 2, 6, 5, 4, 7]
GOLDEN_KEY = [3761872335, 582797523]
GOLDEN_SPLIT = [3, 2, 1, 5, 4, 0]
GOLDEN_WEIGHTS = [-0.12176933895036472, 0.620525029198343, 0.11277947412980617, -0.2205670943223022]

SEEDS = st.integers(min_value=0, max_value=2**31)


def network(name="net", units=(4, 3), **output):
    hidden = [{"name": "dense", "units": n, "initialiser": HeNormal()} for n in units]
    last = {"name": "dense", "units": 2, "activation": {"name": "softmax"}} | output
    dropout = {"name": "dropout", "rate": 0.5}
    return Network(name=name, layers=(dropout, *hidden, last))


def noise_keys(network, seeds, *path):
    return network_streams.noise_keys(
        network, {"dropout": seeds, "augment": [0] * len(seeds)}, *path
    )


def test_a_generator_repeats_and_differs_at_every_other_address():
    addresses = [
        (seed, stream, *path)
        for seed in (0, 1)
        for stream in STREAMS
        for path in ((), ("a",), ("b",), ("a", 0), ("a", 1), ("a", "b"), (0,))
    ]
    draws = {address: tuple(generator(*address).random(4)) for address in addresses}
    assert len(set(draws.values())) == len(addresses)
    assert all(tuple(generator(*address).random(4)) == draws[address] for address in addresses)


def test_draws_at_neighbouring_addresses_are_uncorrelated():
    draws = np.array([generator(seed, "init", "net").standard_normal(4000) for seed in range(20)])
    correlation = np.corrcoef(draws)[np.triu_indices(20, 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(4000)


def test_draws_equal_the_recorded_golden_values():
    """A change of these values makes every recorded result another experiment."""
    assert generator(7, "init", "net", "hidden1").integers(0, 1000, 5).tolist() == GOLDEN_INTEGERS
    assert generator(0, "order", "b", 3).permutation(8).tolist() == GOLDEN_PERMUTATION
    assert key(3, "dropout", "net", "dropout1").tolist() == GOLDEN_KEY
    assert generator(3, "split", "task").permutation(6).tolist() == GOLDEN_SPLIT
    weights = network_streams.initial_weights(network(), 3, [5])
    assert weights["hidden1/kernel"][0, 0].tolist() == pytest.approx(GOLDEN_WEIGHTS, rel=1e-14)


def test_a_seed_drives_the_varied_streams_and_pins_the_rest():
    assert stream_seeds(9, ("init",)) == StreamSeeds(init=9, order=0, dropout=0, augment=0)
    assert stream_seeds(9, STREAMS) == StreamSeeds(9, 9, 9, 9, split=9)
    assert list(stream_seeds(9, ("split",)).as_dict()) == list(STREAMS)


@pytest.mark.parametrize("stream", STREAMS)
def test_varying_one_stream_leaves_every_other_as_it_was(stream):
    one, two = stream_seeds(1, (stream,)).as_dict(), stream_seeds(2, (stream,)).as_dict()
    assert {name for name in STREAMS if one[name] != two[name]} == {stream}


@given(seeds=st.lists(SEEDS, min_size=1, max_size=4), epoch=st.integers(0, 50))
def test_an_order_is_a_permutation_of_the_lanes_rows(seeds, epoch):
    rows = [np.arange(lane, lane + 9, dtype=np.int32) for lane in range(len(seeds))]
    order = streams.batch_order("task", rows, seeds, epoch)
    assert order.shape == (len(seeds), 9)
    assert order.dtype == np.int32
    assert all(sorted(o) == list(r) for o, r in zip(order, rows, strict=True))


@given(seeds=st.lists(SEEDS, min_size=2, max_size=5, unique=True))
def test_a_lanes_draws_do_not_depend_on_the_other_lanes(seeds):
    rows = [np.arange(12, dtype=np.int32)] * len(seeds)
    together = streams.batch_order("task", rows, seeds, 1)
    weights = network_streams.initial_weights(network(), 5, seeds)
    noise = noise_keys(network(), seeds)
    for lane, seed in enumerate(seeds):
        assert (together[lane] == streams.batch_order("task", rows[:1], [seed], 1)[0]).all()
        alone = network_streams.initial_weights(network(), 5, [seed])
        assert all((weights[name][lane] == alone[name][0]).all() for name in weights)
        assert (noise["dropout1"][lane] == noise_keys(network(), [seed])["dropout1"][0]).all()


def test_orders_differ_between_epochs_tasks_and_seeds():
    rows = [np.arange(50, dtype=np.int32)]
    orders = {
        tuple(streams.batch_order(task, rows, [seed], epoch)[0])
        for task, seed, epoch in itertools.product("ab", range(3), range(3))
    }
    assert len(orders) == 18


@given(available=st.integers(1, 60), seed=SEEDS, data=st.data())
def test_a_split_seed_draws_rows_without_replacement(available, seed, data):
    count = data.draw(st.integers(1, available))
    fixed, drawn = streams.training_rows("task", available, count, [None, seed])
    assert fixed.tolist() == list(range(count))
    assert len(drawn) == len(set(drawn.tolist())) == count
    assert set(drawn.tolist()) <= set(range(available))
    assert fixed.dtype == drawn.dtype == np.int32


def test_every_row_is_as_likely_to_be_drawn_by_a_split():
    rows = streams.training_rows("task", 20, 5, range(2000))
    counts = np.bincount(np.concatenate(rows), minlength=20)
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500 * 0.75)


def test_a_task_without_a_number_of_rows_takes_all_of_them():
    fixed, drawn = streams.training_rows("task", 7, None, [None, 1])
    assert fixed.tolist() == drawn.tolist() == list(range(7))


def test_networks_of_the_same_name_start_equal_and_of_different_names_differently():
    one, same, other = (
        network_streams.initial_weights(network(n), 6, [0]) for n in ("a", "a", "b")
    )
    assert (one["hidden1/kernel"] == same["hidden1/kernel"]).all()
    assert (one["hidden1/kernel"] != other["hidden1/kernel"]).all()


def test_a_layers_first_weights_do_not_depend_on_the_layers_around_it():
    wide = network_streams.initial_weights(network(units=(4, 3)), 6, [0])
    deep = network_streams.initial_weights(network(units=(4, 3, 3)), 6, [0])
    assert (wide["hidden2/kernel"] == deep["hidden2/kernel"]).all()


def test_biases_start_at_zero_and_kernels_with_draws_of_their_initialiser():
    weights = network_streams.initial_weights(network(initialiser=Constant(value=0.25)), 6, [0, 1])
    assert list(weights) == [
        f"{layer}/{variable}"
        for layer in ("hidden1", "hidden2", "output")
        for variable in ("kernel", "bias")
    ]
    assert not any(weights[name].any() for name in weights if name.endswith("bias"))
    assert (weights["output/kernel"] == 0.25).all()
    assert weights["hidden1/kernel"].shape == (2, 6, 4)
    assert weights["hidden1/kernel"].dtype == np.float64


def test_noise_keys_differ_between_layers_networks_and_seeds():
    keys = [
        tuple(lane)
        for name in ("a", "b")
        for seeds in ([0, 1, 2],)
        for lane in noise_keys(network(name), seeds)["dropout1"]
    ]
    assert len(set(keys)) == 6


def test_noise_for_another_purpose_has_other_keys():
    training, sampling = (noise_keys(network(), [0, 1], *path) for path in ((), ("mc",)))
    assert (training["dropout1"] != sampling["dropout1"]).any(axis=1).all()


def test_every_noise_comes_from_its_own_stream():
    """White noise belongs to `augment`, all the rest to `dropout`."""
    layers = (
        {"name": "gaussian_noise"},
        {"name": "dropout", "rate": 0.5},
        {"name": "alpha_dropout", "rate": 0.5},
        {"name": "dense", "units": 2, "activation": "rrelu", "drop_connect": {"rate": 0.5}},
        {"name": "dense", "units": 2, "activation": "softmax"},
    )
    net = Network(name="net", layers=layers)

    def keys(dropout, augment):
        found = network_streams.noise_keys(net, {"dropout": [dropout], "augment": [augment]})
        return {label: tuple(key[0]) for label, key in found.items()}

    base, dropped, augmented = keys(0, 0), keys(1, 0), keys(0, 1)
    labels = {"noise1", "dropout1", "alpha_dropout1", "hidden1", "hidden1/kernel"}
    assert set(base) == labels
    assert {label for label in labels if base[label] != dropped[label]} == labels - {"noise1"}
    assert {label for label in labels if base[label] != augmented[label]} == {"noise1"}
    assert len(set(base.values())) == len(labels)


def test_image_changes_depend_on_lane_task_and_epoch():
    def changes(seeds, task="task", epoch=0):
        return network_streams.image_changes(task, (Shift(), Rotate()), seeds, epoch, 5, 64)

    together = changes([3, 4])
    assert together.affine.shape == (2, 5, 2, 3)
    assert together.gain.shape == together.offset.shape == (2, 5)
    np.testing.assert_array_equal(together.affine[1], changes([4]).affine[0])
    others = (changes([4]), changes([3], "other"), changes([3], epoch=1))
    assert all((other.affine != together.affine[:1]).any() for other in others)
    with pytest.raises(RequestError, match="square images, not for 65 features"):
        network_streams.image_changes("task", (Shift(),), [0], 0, 5, 65)
