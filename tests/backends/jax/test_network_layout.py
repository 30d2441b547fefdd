"""The JAX wing's loops over equal layers: short programs, and the numbers of unrolled layers."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from manyseeds.backend import repeated_layers
from manyseeds.backend.values import Batch, EpochPlan, Sampling, Split, Splits
from manyseeds.suite.dense_stack import dense_stack
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques.network import Network
from manyseeds.techniques.network_streams import initial_weights, noise_keys
from manyseeds_jax.network_layout import NetworkLayout

SEEDS = [1, 2, 3]
ROWS, FEATURES, BATCH, STEPS = 80, 6, 16, 5
OUTPUT = {"name": "dense", "units": 3, "activation": "softmax"}
NEVER = 1 << 30


def stack(depth, units=5, **table):
    layers = dense_stack(
        [[units, depth]], {"activation": "elu", "initialiser": "he_normal"} | table
    )
    return Network(name="deep", layers=(*layers, OUTPUT))


def examples():
    generator = np.random.default_rng(0)
    splits = (
        Split(generator.normal(size=(count, FEATURES)), generator.integers(0, 3, count))
        for count in (ROWS, 30, 20)
    )
    return Splits(*splits, key="layout")


def started(backend, net, weights=None, seeds=SEEDS, **fields):
    fields = {"optimizer": "sgd", "rate": 0.01, "batch": BATCH, "epochs": 1} | fields
    task = Task(name="task", dataset="made up")
    cohort = backend.cohort(net, examples(), len(seeds))
    first = perturbed(net, seeds) if weights is None else weights
    cohort.begin(Phase(name="phase", task=task, network=net, **fields), first)
    return cohort


def perturbed(net, seeds=SEEDS):
    """Return initial weights, moved by each seed so that no variable has its usual value."""
    first = initial_weights(net, FEATURES, seeds)
    moves = [np.random.default_rng(seed) for seed in seeds]
    return {
        name: value + np.stack([move.uniform(0.01, 0.2, value.shape[1:]) for move in moves])
        for name, value in first.items()
    }


def keys(net, seeds=SEEDS):
    return noise_keys(net, {"dropout": seeds, "augment": seeds})


def plan(net, seeds=SEEDS):
    order = np.stack([np.random.default_rng(seed).permutation(ROWS) for seed in seeds])
    rates = np.full((len(seeds), STEPS), 0.01)
    momenta = np.full((len(seeds), STEPS), 0.9)
    return EpochPlan(order.astype(np.int32), BATCH, rates, momenta, keys(net, seeds), 7)


def batch(net):
    rows = np.tile(np.arange(20, dtype=np.int32), (len(SEEDS), 1))
    return Batch(rows, keys(net), 3)


def looped_and_unrolled(monkeypatch, function):
    """Return the results of a function with layers in loops, and with layers one by one."""
    results = []
    for fewest in (3, NEVER):
        monkeypatch.setattr(repeated_layers, "FEWEST", fewest)
        results.append(function())
    return results


def check_equal(ours, theirs, tolerance=1e-12):
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert ours[name].shape == value.shape
        error = np.linalg.norm(ours[name] - value) / max(np.linalg.norm(value), 1e-3)
        assert error < tolerance, name


DROPPED = {"name": "dropout", "rate": 0.2}
ALPHA = {"name": "alpha_dropout", "rate": 0.1}
PENALTY = {"name": "l1_l2", "l1": 0.003, "l2": 0.02}
RRELU = {"name": "rrelu", "lower": 0.1, "upper": 0.4}
SHORT = {"radius": 0.8}

NOISY = stack(5, bias=False, before=["batch_norm"], after=[DROPPED])
NOISY_PHASE = {"optimizer": "adam", "clipping": "clip_norm"}
# No biases below batch normalisation: their gradients are rounding errors, which adam scales up.
DEEP = {
    "batch_norm": (NOISY, NOISY_PHASE),
    "alpha_dropout": (
        stack(5, activation="selu", after=[ALPHA], penalty=PENALTY, max_norm=SHORT),
        {"clipping": {"name": "clip_norm", "limit": 0.02}, "optimizer": "momentum"},
    ),
    "drop_connect": (
        stack(5, activation=RRELU, drop_connect={"rate": 0.2}, after=["gaussian_noise"]),
        {"clipping": {"name": "global_clip_norm", "limit": 0.1}},
    ),
    "prelu": (stack(5, activation="prelu"), {"optimizer": "ftrl"}),
    "skip": (stack(31, skip=10), {}),
    "fixup": (stack(7, skip=2, initialiser="fixup", activation="relu"), {}),
    "frozen": (
        stack(8, before=["batch_norm"], penalty=PENALTY, max_norm=SHORT),
        {"frozen": tuple(f"{kind}{n}" for n in range(2, 5) for kind in ("hidden", "batch_norm"))},
    ),
}


@pytest.mark.parametrize("name", DEEP)
def test_looped_layers_train_like_unrolled_layers(double, monkeypatch, name):
    net, fields = DEEP[name]

    def train():
        cohort = started(double, net, **fields)
        trace = cohort.train(plan(net))
        losses = {"loss": trace.loss}
        if trace.penalty is not None:
            losses["penalty"] = trace.penalty
        return losses | dict(cohort.weights())

    check_equal(*looped_and_unrolled(monkeypatch, train))
    monkeypatch.setattr(repeated_layers, "FEWEST", 3)
    assert NetworkLayout.of(net, FEATURES, fields.get("frozen", ())).repeated


def activity(cohort, training):
    layers = cohort.activity(batch(NOISY), training=training)
    assert list(layers) == [layer.label for layer in NOISY.layers]
    return {label: np.stack([a.mean, a.sd, a.dead]) for label, a in layers.items()}


def probabilities(scores):
    return scores.metrics | {"probabilities": scores.probabilities}


METHODS = {
    "gradient": lambda cohort: cohort.gradient(batch(NOISY)),
    "activity in training": lambda cohort: activity(cohort, True),
    "activity": lambda cohort: activity(cohort, False),
    "evaluate": lambda cohort: probabilities(
        cohort.evaluate("valid", ("loss", "accuracy"), probabilities=True)
    ),
    "sample": lambda cohort: probabilities(
        cohort.score(("loss",), probabilities=True, sampling=Sampling(2, keys(NOISY)))
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_looped_layers_are_measured_and_scored_like_unrolled_layers(double, monkeypatch, method):
    def measure():
        return METHODS[method](started(double, NOISY, **NOISY_PHASE))

    check_equal(*looped_and_unrolled(monkeypatch, measure))


def test_zeros_stay_zeros_in_looped_layers(single, monkeypatch):
    monkeypatch.setattr(repeated_layers, "FEWEST", 3)
    net = stack(5)
    first = perturbed(net)
    first["hidden4/kernel"][1, 2] = 0
    cohort = started(single, net, first, keep_zeros=True)
    cohort.train(plan(net))
    for name, value in cohort.weights().items():
        np.testing.assert_array_equal(value == 0, first[name] == 0)


def test_weights_keep_their_values_and_order_in_looped_layers(single, monkeypatch):
    monkeypatch.setattr(repeated_layers, "FEWEST", 3)
    net = stack(8, before=["batch_norm"])
    first = perturbed(net)
    weights = started(single, net, first, frozen=("hidden4",)).weights()
    assert list(weights) == list(net.variables(FEATURES))
    for name, value in weights.items():
        np.testing.assert_array_equal(value, first[name].astype(np.float32))
        assert value.flags.writeable
        assert value.flags.c_contiguous


def test_a_lane_of_a_deep_network_is_the_training_of_its_seed_alone(double, monkeypatch):
    monkeypatch.setattr(repeated_layers, "FEWEST", 3)
    cohort = started(double, NOISY, **NOISY_PHASE)
    cohort.train(plan(NOISY))
    together = cohort.weights()
    alone = started(double, NOISY, seeds=[2], **NOISY_PHASE)
    alone.train(plan(NOISY, [2]))
    check_equal({name: value[1:2] for name, value in together.items()}, alone.weights())


def test_a_lane_that_turns_nan_leaves_the_others_of_a_deep_network_bit_identical(
    double, monkeypatch
):
    monkeypatch.setattr(repeated_layers, "FEWEST", 3)
    sick = perturbed(NOISY)
    sick["hidden3/kernel"][1, 0, 0] = np.nan
    results = []
    for weights in (perturbed(NOISY), sick):
        cohort = started(double, NOISY, weights, **NOISY_PHASE)
        results.append((cohort.train(plan(NOISY)).loss, cohort.weights()))
    (losses, ended), (sick_losses, sick_ended) = results
    assert np.isnan(sick_losses[1]).all()
    np.testing.assert_array_equal(losses[::2], sick_losses[::2])
    for name, value in ended.items():
        np.testing.assert_array_equal(value[::2], sick_ended[name][::2])


def test_programs_of_two_hundred_layers_are_as_long_as_those_of_twenty(fresh):
    lengths = []
    for depth in (20, 200):
        backend = fresh("float32")
        net = stack(depth, activation="tanh")
        cohort = started(backend, net, initial_weights(net, FEATURES, SEEDS))
        assert np.isfinite(cohort.train(plan(net)).loss).all()
        assert np.isfinite(cohort.gradient(batch(net))["hidden13/kernel"]).all()
        assert np.isfinite(cohort.activity(batch(net), training=True)["hidden13"].sd).all()
        texts = [program.as_text() for program in backend.programs.compiled.values()]
        lengths.append([len(text.splitlines()) for text in texts])
    assert lengths[0] == lengths[1]
