"""Deep networks: layers that are repeated are a loop, and compute the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from manyseeds.backend import repeated_layers as repeats
from manyseeds.backend.values import Batch, EpochPlan, Sampling, Split, Splits
from manyseeds.randomness import streams
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import network_streams
from manyseeds.techniques.network import Network
from manyseeds_tensorflow.device import OpenDevice

FEATURES, UNITS, ROWS, BATCH, LANES = 7, 6, 28, 6, 2


STEPS = 5  # 4 batches of 6 rows and one of 4


NEVER = 10**6


def dense(units=UNITS, **options):
    return {"name": "dense", "units": units, **options}


def noisy(number):
    """Every noise, with numbers of its own."""
    share = 0.01 * number
    return [
        dense(bias=False, drop_connect={"rate": 0.2 + share}),
        {"name": "activation", "function": {"name": "rrelu", "lower": share, "upper": 0.4}},
        {"name": "dropout", "rate": 0.1 + share},
        {"name": "gaussian_noise", "sd": 0.1 + share},
        {"name": "alpha_dropout", "rate": 0.3 - share},
    ]


def quiet(number):
    """Everything else, with numbers of its own."""
    share = 0.01 * number
    return [
        dense(bias=False, penalty={"name": "l1_l2", "l1": share, "l2": 0.02 - share / 3}),
        {"name": "batch_norm", "momentum": 0.9 - share},
        {"name": "activation", "function": "prelu"},
        dense(activation={"name": "elu", "alpha": 1 - share}, max_norm={"radius": 0.7 + share}),
        {"name": "scale"},
    ]


def ten(number):
    """Ten layers."""
    del number
    return [dense(activation="tanh")] * 10


def network(*layers):
    stack = [dense(label="first"), *layers, dense(3, activation="softmax")]
    return Network.model_validate({"name": "deep", "layers": stack})


def repeated(block, times):
    """A block and a skip connection over it, many times."""
    layers, below = [], "first"
    for number in range(times):
        layers += [each | {"label": f"b{number}_{i}"} for i, each in enumerate(block(number))]
        layers.append({"name": "skip", "of": below, "label": f"skip{number}"})
        below = f"skip{number}"
    return network(*layers)


def splits():
    draw = np.random.default_rng(7)

    def split(rows):
        return Split(draw.normal(size=(rows, FEATURES)), draw.integers(0, 3, rows))

    return Splits(split(ROWS), split(7), split(1100), "deep")


def first_weights(net):
    """Weights of which none is zero or the same in two lanes or layers."""
    draw = np.random.default_rng(3)
    return {
        name: value + 0.1 * np.abs(draw.normal(size=value.shape))
        for name, value in network_streams.initial_weights(net, FEATURES, range(LANES)).items()
    }


def keys(net):
    return network_streams.noise_keys(net, {"dropout": range(LANES), "augment": range(LANES)})


def plan(net, momentum=False):
    draw = np.random.default_rng(5)
    return EpochPlan(
        order=streams.batch_order("task", [np.arange(ROWS)] * LANES, range(LANES), 0),
        batch=BATCH,
        rate=draw.uniform(0.01, 0.1, size=(LANES, STEPS)),
        momentum=draw.uniform(0.5, 0.9, size=(LANES, STEPS)) if momentum else None,
        noise=keys(net),
        step=0,
    )


def begun(backend, net, weights=None, **options):
    cohort = backend.cohort(net, splits(), LANES)
    task = Task(name="task", dataset="made", valid=7)
    values = {"name": "p", "task": task, "network": net, "epochs": 1, "rate": 0.1, "batch": BATCH}
    phase = Phase.model_validate(values | options)
    cohort.begin(phase, first_weights(net) if weights is None else weights)
    return cohort


def batch(net):
    rows = np.stack([np.roll(np.arange(ROWS, dtype=np.int32), lane) for lane in range(LANES)])
    return Batch(rows, keys(net), 4)


def looped_and_unrolled(monkeypatch, fewest, work):
    """The results of some work where that many repetitions are a loop, and where none are."""
    result = []
    for least in (fewest, NEVER):
        monkeypatch.setattr(repeats, "FEWEST", least)
        result.append(work())
    return result


def same(result, expected, tolerance=1e-12):
    assert list(result) == list(expected)
    for name, value in expected.items():
        distance = np.linalg.norm(np.asarray(result[name]) - np.asarray(value))
        assert distance <= tolerance * np.linalg.norm(value), name


PARTLY = ("first", *(f"b{n}_{i}" for n in (0, 1) for i in (0, 1, 2, 3, 4)), "b2_1", "b3_1")
"""Two blocks, and the batch normalisation of two others."""


CLIPPED = {"optimizer": "nadam", "clipping": {"name": "clip_norm", "limit": 0.1}}


CLIPPED_AS_ONE = {"optimizer": "sgd", "clipping": {"name": "global_clip_norm", "limit": 0.2}}


CASES = {
    "noisy": (noisy, 2, (), [(6, 2)], CLIPPED),
    "quiet": (quiet, 3, (), [(6, 3)], CLIPPED),
    "frozen": (quiet, 4, PARTLY, [(6, 2), (6, 2)], CLIPPED_AS_ONE),
    "ten layers": (ten, 2, (), [(11, 2)], {"optimizer": "nesterov"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_loop_trains_as_its_layers_one_by_one(double, monkeypatch, case):
    block, times, frozen, cut, options = CASES[case]
    net = repeated(block, times)

    def train():
        cohort = begun(double, net, frozen=frozen, keep_zeros=True, **options)
        trace = cohort.train(plan(net, momentum=options["optimizer"] == "nesterov"))
        return cohort.weights() | {"loss": trace.loss}

    monkeypatch.setattr(repeats, "FEWEST", 2)
    result = [
        (len(run.block), len(run.blocks)) for run in repeats.layer_runs(net, FEATURES, frozen)
    ]
    assert [pair for pair in result if pair[1] > 1] == cut
    same(*looped_and_unrolled(monkeypatch, 2, train))


def test_a_loop_has_the_gradient_of_its_layers(double, monkeypatch):
    net = repeated(quiet, 2)
    same(*looped_and_unrolled(monkeypatch, 2, lambda: begun(double, net).gradient(batch(net))))


def test_a_loop_has_the_scores_of_its_layers(double, monkeypatch):
    net = repeated(lambda n: [*noisy(n)[2:], *quiet(n)], 2)

    def look():
        cohort = begun(double, net)
        scores = cohort.score(("loss",), probabilities=True)
        dropped = cohort.score(("loss",), sampling=Sampling(2, keys(net)))
        sums = {"loss": scores.metrics["loss"], "dropped": dropped.metrics["loss"]}
        return sums | {"outputs": scores.probabilities}

    same(*looped_and_unrolled(monkeypatch, 2, look))


@pytest.mark.parametrize(("block", "training"), [(noisy, True), (quiet, True), (quiet, False)])
def test_a_loop_has_the_activity_of_its_layers(double, monkeypatch, block, training):
    net = repeated(block, 2)

    def look():
        result = begun(double, net).activity(batch(net), training=training)
        return {label: (each.mean, each.sd, each.dead) for label, each in result.items()}

    result, expected = looped_and_unrolled(monkeypatch, 2, look)
    assert list(result) == [layer.label for layer in net.layers]
    same(result, expected)


def test_lanes_side_by_side_are_each_the_same_training(double, monkeypatch):
    """As on a GPU, where all lanes are one group."""
    monkeypatch.setattr(repeats, "FEWEST", 2)
    net, result = repeated(lambda n: [*noisy(n), *quiet(n)], 2), []
    for kind in ("cpu", "cuda"):
        monkeypatch.setattr(OpenDevice, "kind", kind)
        resources = double.resources
        one_thread = replace(resources, workers=replace(resources.workers, threads=1))
        monkeypatch.setattr(double, "resources", one_thread)
        cohort = begun(double, net, **CLIPPED)
        trace = cohort.train(plan(net))
        result.append(cohort.weights() | {"loss": trace.loss})
    same(*result)


def test_a_nan_lane_of_a_loop_leaves_the_others_bit_identical(single, monkeypatch):
    monkeypatch.setattr(repeats, "FEWEST", 2)
    net, ends = repeated(lambda n: [*noisy(n), *quiet(n)], 2), []
    for ill in (False, True):
        weights = first_weights(net)
        if ill:
            weights["b1_5/kernel"][1, 0, 0] = np.nan
        cohort = begun(single, net, weights, optimizer="adam")
        trace = cohort.train(plan(net))
        ends.append(cohort.weights())
    assert np.isnan(trace.loss[1]).all()
    assert np.isfinite(trace.loss[0]).all()
    for name in ends[0]:
        np.testing.assert_array_equal(ends[0][name][0], ends[1][name][0])


def test_two_hundred_layers_compile_in_seconds_and_train(single):
    lecun = {"name": "lecun_normal"}
    net = network(*(dense(activation="selu", initialiser=lecun) for _ in range(200)))
    weights = network_streams.initial_weights(net, FEATURES, range(LANES))
    cohort = begun(single, net, weights, optimizer="momentum")
    taken = plan(net, momentum=True)
    trace = cohort.train(taken)
    assert trace.compile_seconds < 30  # unrolled it is minutes
    before, after = (cohort.evaluate("train", ("loss",)).metrics["loss"] for _ in range(2))
    assert np.isfinite(before).all()
    np.testing.assert_array_equal(before, after)
    result = cohort.activity(batch(net), training=False)
    assert len(result) == 202
    assert all((each.sd > 0).all() for each in result.values())
    assert not np.array_equal(cohort.weights()["hidden100/kernel"], weights["hidden100/kernel"])
