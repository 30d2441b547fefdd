"""Every technique in PyTorch's cohorts: lanes, phases, penalties, activity, Monte Carlo dropout."""

from dataclasses import replace

import numpy as np
import pytest

from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Batch, EpochPlan, Sampling, Split, Splits
from manyseeds.randomness import noise as reference
from manyseeds.randomness import streams
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import augmentation, network_streams
from manyseeds.techniques.network import Network

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from manyseeds_pytorch import entry, sampling  # noqa: E402
from manyseeds_pytorch.device import Placement  # noqa: E402

SIDE, ROWS, BATCH = 3, 27, 8
FEATURES = SIDE * SIDE
TASK = Task(name="toy", dataset="toy")
RANDOM = np.random.default_rng(5)

EVERYTHING = (
    "batch_norm",
    {"name": "dropout", "rate": 0.1},  # Without it the next one would undo the first's shift.
    {"name": "gaussian_noise", "sd": 0.1},
    {"name": "dense", "units": 6, "bias": False, "penalty": "l2", "drop_connect": {"rate": 0.2}},
    {"name": "batch_norm", "momentum": 0.8},
    {"name": "activation", "function": "rrelu"},
    {"name": "dense", "units": 6, "activation": "prelu", "max_norm": {"radius": 0.9}},
    {"name": "skip", "of": "activation1"},
    "scale",
    {"name": "alpha_dropout", "rate": 0.1},
    {"name": "dropout", "rate": 0.3},
)
FAMILIAR = ({"name": "dense", "units": 6, "activation": "tanh"},)
AUGMENTATION = ("shift", "rotate", "contrast")


@pytest.fixture(scope="module")
def double():
    return entry.open(Settings(precision="float64"))


def a_network(hidden=EVERYTHING, output="softmax", units=3, **fields):
    last = {"name": "dense", "units": units, "activation": output} | fields
    return Network(name="toy", layers=(*hidden, last))


def some_data(output="softmax", rows=ROWS, tested=23):
    random = np.random.default_rng(1)

    def split(n):
        labels = {
            "softmax": random.integers(0, 3, n),
            "logistic": random.integers(0, 2, n),
            "linear": random.normal(size=(n, 1)),
        }[output]
        return Split(random.normal(size=(n, FEATURES)), labels)

    return Splits(split(rows), split(19), split(tested), key=f"{output}-{rows}-{tested}")


def first_weights(network, lanes, seed=0):
    return network_streams.initial_weights(network, FEATURES, range(seed, seed + lanes))


def a_phase(network, **fields):
    return Phase(
        **{"name": "p", "task": TASK, "network": network, "epochs": 1, "rate": 0.1} | fields
    )


def keys(network, lanes, seed=0):
    seeds = range(seed, seed + lanes)
    return network_streams.noise_keys(network, {"dropout": seeds, "augment": seeds})


def a_plan(phase, lanes, *, epochs=1, rate=0.05, seed=0):
    seeds = range(seed, seed + lanes)
    order = np.concatenate(
        [
            streams.batch_order("toy", [np.arange(ROWS, dtype=np.int32)] * lanes, seeds, epoch)
            for epoch in range(epochs)
        ],
        axis=1,
    )
    steps = -(-order.shape[1] // BATCH)
    changes = None
    if phase.augmentation:
        changes = network_streams.image_changes(
            "toy", phase.augmentation, seeds, 0, order.shape[1], FEATURES
        )
    momentum = phase.optimizer.hyperparameters().get("momentum")
    return EpochPlan(
        order=order,
        batch=BATCH,
        rate=np.full((lanes, steps), rate),
        momentum=None if momentum is None else np.full((lanes, steps), momentum),
        noise=keys(phase.network, lanes, seed),
        step=3,
        changes=changes,
    )


def begun(backend, phase, lanes, weights=None, data=None):
    cohort = backend.cohort(phase.network, data or some_data(), lanes)
    cohort.begin(phase, weights or first_weights(phase.network, lanes))
    return cohort


def distance(one, other):
    return max(
        np.linalg.norm(one[name] - other[name]) / max(np.linalg.norm(other[name]), 1e-300)
        for name in other
    )


def first_batch(plan, rows=BATCH):
    changes = None if plan.changes is None else plan.changes[:, :rows]
    return Batch(rows=plan.order[:, :rows], noise=plan.noise, step=plan.step, changes=changes)


# ---------------------------------------------------------------- lanes

PHASES = {
    "clip_norm": {"optimizer": "momentum", "clipping": {"name": "clip_norm", "limit": 0.2}},
    "global_clip_norm": {"optimizer": "nadam", "clipping": "global_clip_norm"},
    "clip_value": {"clipping": {"name": "clip_value", "limit": 0.05}},
    "ftrl": {"optimizer": {"name": "ftrl", "l1": 1e-3}, "keep_zeros": True},
    "augmentation": {"optimizer": "adamax", "augmentation": AUGMENTATION},
    "frozen": {"optimizer": "rmsprop", "frozen": ("hidden1", "batch_norm1")},
}


@pytest.mark.parametrize("name", ["clip_norm", "global_clip_norm", "augmentation"])
def test_a_lane_does_not_depend_on_the_others(double, name):
    phase = a_phase(a_network(), **PHASES[name])
    plan = a_plan(phase, 9, epochs=18, rate=0.01)  # Two shards, 4 and 5, where there are threads.
    assert plan.step_count >= 60
    many = begun(double, phase, 9)
    trace = many.train(plan)
    alone = begun(double, phase, 1, first_weights(phase.network, 1, seed=6))
    lone = alone.train(a_plan(phase, 1, epochs=18, rate=0.01, seed=6))
    lane = {variable: value[6:7] for variable, value in many.weights().items()}
    assert distance(lane, alone.weights()) <= 1e-9
    np.testing.assert_allclose(trace.penalty[6], lone.penalty[0], rtol=1e-9)


@pytest.mark.parametrize("name", [*PHASES, "adam", "smooth_ftrl", "nesterov"])
def test_kernels_updated_early_and_in_pieces_are_those_updated_late(double, name, monkeypatch):
    # The last smaller batch, changing rates, penalties, drop connect and constraints included.
    phase = a_phase(a_network(), **PHASES.get(name, {"optimizer": name.removeprefix("smooth_")}))
    if name == "smooth_ftrl":
        phase = a_phase(a_network(FAMILIAR, penalty="l1_l2"), optimizer="ftrl")
    plan = a_plan(phase, 5, epochs=4)
    rates = np.random.default_rng(2).uniform(0.01, 0.1, plan.rate.shape)
    rates[:, ::2] = rates[:1, ::2]  # One rate for all lanes, and a rate for each.
    found = []
    for tile in (1, 700, 1 << 20):  # One lane of every kernel, a few of some, all.
        monkeypatch.setattr("manyseeds_pytorch.device._TILE_BYTES", tile)
        cohort = begun(double, phase, 5)
        trace = cohort.train(replace(plan, rate=rates))
        found.append({"loss": trace.loss, "penalty": trace.penalty, **cohort.weights()})
    *early, late = found
    assert max(distance(one, late) for one in early) <= 1e-9


@pytest.mark.parametrize("tile", [1, 700, 1 << 20])
@pytest.mark.parametrize("name", PHASES)
def test_a_nan_lane_leaves_the_others_bit_identical(name, tile, monkeypatch):
    monkeypatch.setattr("manyseeds_pytorch.device._TILE_BYTES", tile)
    backend = entry.open(Settings(precision="float32"))
    phase = a_phase(a_network(), **PHASES[name])
    plan = a_plan(phase, 4, epochs=2)
    weights = first_weights(phase.network, 4)
    sick = {name: value.copy() for name, value in weights.items()}
    sick["output/kernel"][2] = np.nan
    healthy, ill = begun(backend, phase, 4, weights), begun(backend, phase, 4, sick)
    whole, trace = healthy.train(plan), ill.train(plan)
    others = [0, 1, 3]
    assert np.isnan(trace.loss[2]).all()
    for one, other in ((trace.loss, whole.loss), (trace.penalty, whole.penalty)):
        np.testing.assert_array_equal(one[others], other[others])
    after = ill.weights()
    for variable, value in healthy.weights().items():
        np.testing.assert_array_equal(after[variable][others], value[others])


# ---------------------------------------------------------------- gradients and steps


@pytest.mark.parametrize("hidden", [EVERYTHING, FAMILIAR], ids=["everything", "familiar"])
def test_gradient_is_the_slope_of_loss_and_penalty(double, hidden):
    network = a_network(hidden, penalty={"name": "l1_l2"})
    weights = {name: value + 0.03 for name, value in first_weights(network, 2).items()}
    phase = a_phase(network, augmentation=AUGMENTATION)
    plan = a_plan(phase, 2)
    batch = first_batch(plan)
    probe = replace(plan, order=batch.rows, rate=np.zeros((2, 1)), changes=batch.changes)
    cohort = begun(double, phase, 2, weights)
    gradient = cohort.gradient(batch)
    assert tuple(gradient) == network.trained()

    def loss_at(name, index, shift):
        moved = weights | {name: weights[name].copy()}
        moved[name][(slice(None), *index)] += shift
        cohort.begin(phase, moved)
        trace = cohort.train(probe)
        return trace.loss[:, 0] + trace.penalty[:, 0]

    for name in gradient:
        assert gradient[name].shape == weights[name].shape
        index = tuple(size // 2 for size in weights[name].shape[1:])
        slope = (loss_at(name, index, 1e-6) - loss_at(name, index, -1e-6)) / 2e-6
        found = gradient[name][(slice(None), *index)]
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-9)


def test_gradient_is_that_before_clipping(double):
    network = a_network(FAMILIAR)
    weights = first_weights(network, 2)
    limit = {"name": "global_clip_norm", "limit": 0.01}
    phase = a_phase(network, clipping=limit)
    plan = a_plan(phase, 2, rate=1.0)
    batch = first_batch(plan)
    cohort = begun(double, phase, 2, weights)
    gradient = cohort.gradient(batch)
    assert distance(begun(double, a_phase(network), 2, weights).gradient(batch), gradient) < 1e-14
    cohort.train(replace(plan, order=batch.rows, rate=plan.rate[:, :1]))
    moved = cohort.weights()
    for lane in range(2):
        norm = np.sqrt(sum((value[lane] ** 2).sum() for value in gradient.values()))
        assert norm > 0.01
        for name, value in gradient.items():
            expected = weights[name][lane] - 0.01 / norm * value[lane]
            np.testing.assert_allclose(moved[name][lane], expected, rtol=1e-10, atol=1e-13)


def test_penalty_is_that_of_the_weights_before_the_step(double):
    network = a_network(FAMILIAR, penalty={"name": "l1", "l1": 0.2})
    weights = first_weights(network, 2)
    phase = a_phase(network, frozen=("hidden1",))
    cohort = begun(double, phase, 2, weights)
    plan = a_plan(phase, 2)
    for step in range(2):
        expected = 0.2 * np.abs(cohort.weights()["output/kernel"]).sum((1, 2))
        rows = plan.order[:, step * BATCH : (step + 1) * BATCH]
        trace = cohort.train(replace(plan, order=rows, rate=plan.rate[:, :1]))
        np.testing.assert_allclose(trace.penalty[:, 0], expected, rtol=1e-13)
    plain = a_phase(a_network(FAMILIAR))
    assert begun(double, plain, 2).train(a_plan(plain, 2)).penalty is None


def test_max_norm_holds_after_a_step_and_not_in_a_frozen_layer(double):
    network = a_network(({"name": "dense", "units": 6, "max_norm": {"radius": 0.5}},))
    phase = a_phase(network)
    for frozen in ((), ("hidden1",)):
        cohort = begun(double, phase.model_copy(update={"frozen": frozen}), 3)
        cohort.train(a_plan(phase, 3))
        norms = np.linalg.norm(cohort.weights()["hidden1/kernel"], axis=1)
        assert (norms.max() <= 0.5 + 1e-12) == (not frozen)


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "nadam"])
def test_zeros_are_kept_where_the_phase_says(double, optimizer):
    network = a_network(FAMILIAR)
    weights = first_weights(network, 2)
    zero = RANDOM.random(weights["hidden1/kernel"].shape) < 0.5
    weights["hidden1/kernel"][zero] = 0
    for keep in (False, True):
        phase = a_phase(network, keep_zeros=keep, optimizer=optimizer)
        cohort = begun(double, phase, 2, weights)
        cohort.train(a_plan(phase, 2))
        kernel, bias = (cohort.weights()[f"hidden1/{name}"] for name in ("kernel", "bias"))
        assert (kernel[zero] == 0).all() == keep
        assert (kernel[~zero] != 0).all()
        assert (bias != 0).all()


def test_batch_norm_moves_in_training_alone_and_not_where_frozen(double):
    network = a_network(("batch_norm", *FAMILIAR))
    phase = a_phase(network, frozen=("batch_norm1",))
    for frozen in (True, False):
        cohort = begun(double, phase if frozen else a_phase(network), 2)
        plan = a_plan(phase, 2)
        before = cohort.weights()
        cohort.gradient(first_batch(plan))
        cohort.evaluate("valid", ("loss",))
        cohort.activity(first_batch(plan), training=True)
        assert distance(before, cohort.weights()) == 0
        one = replace(plan, order=plan.order[:, :5], rate=plan.rate[:, :1])
        cohort.train(one)
        after = cohort.weights()
        if frozen:
            assert all((after[n] == before[n]).all() for n in before if n.startswith("batch"))
            continue
        inputs = some_data().train.inputs[one.order]
        np.testing.assert_allclose(
            after["batch_norm1/moving_mean"], 0.01 * inputs.mean(1), rtol=1e-12
        )
        np.testing.assert_allclose(
            after["batch_norm1/moving_variance"], 0.99 + 0.01 * inputs.var(1), rtol=1e-12
        )


def test_every_step_sees_its_own_examples_changed(double):
    network = a_network(("batch_norm", *FAMILIAR))
    phase = a_phase(network, augmentation=AUGMENTATION)
    plan = a_plan(phase, 2)
    cohort = begun(double, phase, 2)
    cohort.train(plan)
    mean = np.zeros((2, FEATURES))
    images = some_data().train.inputs.reshape(-1, SIDE, SIDE)
    for lane in range(2):
        for step in range(plan.step_count):
            part = slice(step * BATCH, (step + 1) * BATCH)
            rows = images[plan.order[lane, part]]
            seen = augmentation.augmented(rows, plan.changes[lane, part])
            mean[lane] = 0.99 * mean[lane] + 0.01 * seen.reshape(len(rows), -1).mean(0)
    found = cohort.weights()["batch_norm1/moving_mean"]
    np.testing.assert_allclose(found, mean, rtol=1e-10, atol=1e-13)


def test_hyperparameters_of_a_phase_are_taken(double):
    def network(scale):
        layers = (
            {"name": "batch_norm", "momentum": 1 - scale, "epsilon": scale},
            {"name": "gaussian_noise", "sd": scale},
            {"name": "dense", "units": 5, "activation": {"name": "rrelu", "lower": scale / 9}},
            {"name": "alpha_dropout", "rate": scale},
            {
                "name": "dense",
                "units": 5,
                "penalty": {"name": "l2", "l2": scale},
                "max_norm": {"radius": 9 * scale},
                "drop_connect": {"rate": scale},
            },
        )
        return a_network(layers)

    gentle, harsh = (a_phase(network(scale)) for scale in (0.05, 0.2))
    plan = a_plan(gentle, 2)
    cohort = begun(double, gentle, 2)
    cohort.train(plan)
    cohort.begin(harsh, first_weights(harsh.network, 2))
    again = cohort.train(plan)
    expected = begun(double, harsh, 2).train(plan)
    np.testing.assert_array_equal(again.loss, expected.loss)
    np.testing.assert_array_equal(again.penalty, expected.penalty)
    assert again.compilations == 0


# ---------------------------------------------------------------- activity


@pytest.mark.parametrize("bound", [1, 1 << 22])
def test_activity_is_that_of_what_leaves_each_layer(double, bound, monkeypatch):
    monkeypatch.setattr(Placement, "elements", bound)
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
    batch = Batch(rows=rows, noise=keys(network, 3), step=6)
    for training in (False, True):
        found = cohort.activity(batch, training=training)
        assert list(found) == ["dropout1", "hidden1", "skip1", "output"]
        values = {"dropout1": data.train.inputs[rows]}
        if training:
            kept = reference.kept(batch.noise["dropout1"], 6, ROWS, FEATURES, 0.4)
            values["dropout1"] = values["dropout1"] * kept * reference.keep_scale(0.4)
        z = values["dropout1"] @ weights["hidden1/kernel"] + weights["hidden1/bias"][:, None]
        values["hidden1"] = np.maximum(z, 0)
        values["skip1"] = 2 * values["hidden1"]
        logits = values["skip1"] @ weights["output/kernel"] + weights["output/bias"][:, None]
        values["output"] = 1 / (1 + np.exp(-logits))
        for label, value in values.items():
            activity = found[label]
            np.testing.assert_allclose(activity.mean, value.mean(1).mean(1), rtol=1e-11)
            np.testing.assert_allclose(activity.sd, value.std(1).mean(1), rtol=1e-11)
            np.testing.assert_array_equal(activity.dead, (value == 0).all(1).mean(1))
        assert (found["hidden1"].dead >= 1 / 6).all()


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


# ---------------------------------------------------------------- Monte Carlo dropout


def predicted(network, weights, inputs, drawn, step):
    """The network of `sampled` in one lane with its dropout on."""
    values = inputs * reference.kept(drawn["dropout1"], step, *inputs.shape, 0.4)[0]
    values = (values * reference.keep_scale(0.4)) @ weights["hidden1/kernel"]
    values = np.tanh(values + weights["hidden1/bias"])
    kept = reference.kept(drawn["alpha_dropout1"], step, *values.shape, 0.2)[0]
    a, b = reference.alpha_affine(0.2)
    values = a * np.where(kept, values, reference.SELU_FLOOR) + b
    logits = values @ weights["output/kernel"] + weights["output/bias"]
    if network.loss == "binary_cross_entropy":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize(("output", "units"), [("softmax", 3), ("logistic", 1)])
def test_monte_carlo_dropout_averages_probabilities(double, output, units, monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLING_ROWS", 10)
    hidden = (
        {"name": "dropout", "rate": 0.4},
        {"name": "gaussian_noise", "sd": 5.0},
        FAMILIAR[0] | {"drop_connect": {"rate": 0.5}},
        {"name": "alpha_dropout", "rate": 0.2},
    )
    network, lanes, samples = a_network(hidden, output, units), 3, 4
    data = some_data(output)
    drawn = network_streams.noise_keys(
        network, {"dropout": range(lanes), "augment": range(lanes)}, "mc"
    )
    weights = first_weights(network, lanes)
    cohort = begun(double, a_phase(network), lanes, data=data)
    wanted = Sampling(samples, drawn)
    found = cohort.score(("loss", "accuracy"), probabilities=True, sampling=wanted)
    inputs, labels = data.test.inputs, data.test.labels
    for lane in range(lanes):
        own = {name: value[lane] for name, value in weights.items()}
        keys_ = {label: key[lane : lane + 1] for label, key in drawn.items()}
        mean = np.concatenate(
            [
                np.mean(
                    [
                        predicted(network, own, inputs[10 * b : 10 * b + 10], keys_, 3 * s + b)
                        for s in range(samples)
                    ],
                    axis=0,
                )
                for b in range(3)
            ]
        )
        np.testing.assert_allclose(found.probabilities[lane], mean, rtol=1e-11)
        if output == "softmax":
            chance, right = mean[np.arange(23), labels], mean.argmax(1) == labels
        else:
            chance = np.where(labels == 1, mean[:, 0], 1 - mean[:, 0])
            right = (mean[:, 0] > 0.5) == labels
        assert found.metrics["loss"][lane] == pytest.approx(-np.log(chance).mean(), rel=1e-11)
        assert found.metrics["accuracy"][lane] == right.mean()


def test_samples_of_any_piece_are_the_same(double, monkeypatch):
    network = a_network(({"name": "dropout", "rate": 0.4}, *FAMILIAR))
    cohort = begun(double, a_phase(network), 3)
    wanted = Sampling(3, keys(network, 3))
    whole = cohort.score(("loss",), probabilities=True, sampling=wanted)
    monkeypatch.setattr(Placement, "elements", 1)
    pieces = cohort.score(("loss",), probabilities=True, sampling=wanted)
    np.testing.assert_allclose(pieces.probabilities, whole.probabilities, rtol=1e-12)
    np.testing.assert_allclose(pieces.metrics["loss"], whole.metrics["loss"], rtol=1e-12)


def test_averaged_predictions_of_a_linear_output_have_a_squared_error(double):
    network = a_network(({"name": "dropout", "rate": 0.0}, *FAMILIAR), "linear", 1)
    data = some_data("linear")
    cohort = begun(double, a_phase(network), 2, data=data)
    sampled = cohort.score(("loss",), sampling=Sampling(2, keys(network, 2)))
    plain = cohort.score(("loss",))
    np.testing.assert_allclose(sampled.metrics["loss"], plain.metrics["loss"], rtol=1e-12)
