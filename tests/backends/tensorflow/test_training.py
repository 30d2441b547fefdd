"""Training with every technique against closed forms, NumPy and Keras, and lane by lane."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

from manyseeds.backend.values import Batch, EpochPlan, Sampling, Split, Splits
from manyseeds.randomness import noise as definition
from manyseeds.randomness import streams
from manyseeds.suite.recipe import Phase, Task
from manyseeds.techniques import augmentation, network_streams
from manyseeds.techniques.network import Network

ROWS, FEATURES, BATCH, TEST = 20, 9, 8, 2300


STEPS = 3  # an epoch: 8 + 8 + 4 rows


EVERYTHING = (
    "batch_norm",
    {"name": "dropout", "rate": 0.1},
    {
        "name": "dense",
        "units": 6,
        "bias": False,
        "penalty": {"name": "l2", "l2": 0.02},
        "drop_connect": {"rate": 0.2},
    },
    {"name": "batch_norm", "momentum": 0.9},
    {"name": "activation", "function": "rrelu"},
    {"name": "dense", "units": 6, "activation": "prelu", "max_norm": {"radius": 0.7}},
    {"name": "skip", "of": "activation1"},
    "scale",
    {"name": "alpha_dropout", "rate": 0.3},
    {"name": "dense", "units": 4, "activation": "softplus", "penalty": {"name": "l1", "l1": 0.01}},
)


def network(*layers, units=3, output="softmax"):
    stack = [*layers, {"name": "dense", "units": units, "activation": output}]
    return Network.model_validate({"name": "net", "layers": stack})


def dense(units=5, **options):
    return {"name": "dense", "units": units, **options}


def line(*layers):
    """A network that predicts a number, whose loss is easy to write down."""
    return network(*layers, units=1, output="linear")


def splits(kind="classes"):
    draw = np.random.default_rng(7)

    def split(n):
        labels = draw.normal(size=n) if kind == "targets" else draw.integers(0, 3, n)
        return Split(draw.normal(size=(n, FEATURES)), labels % 2 if kind == "binary" else labels)

    return Splits(split(ROWS), split(7), split(TEST), f"techniques-{kind}")


def kind_of(net):
    loss = {"linear": "targets", "logistic": "binary"}
    return loss.get(net.output.activation.name, "classes")


def first_weights(net, lanes):
    """Weights of which none is zero or the same in two lanes."""
    draw = np.random.default_rng(3)
    return {
        name: value + 0.1 * np.abs(draw.normal(size=value.shape))
        for name, value in network_streams.initial_weights(net, FEATURES, range(lanes)).items()
    }


def begun(backend, net, lanes=2, weights=None, **options):
    cohort = backend.cohort(net, splits(kind_of(net)), lanes)
    task = Task(name="task", dataset="made", valid=7)
    values = {"name": "p", "task": task, "network": net, "epochs": 1, "rate": 0.1, "batch": BATCH}
    phase = Phase.model_validate(values | options)
    cohort.begin(phase, first_weights(net, lanes) if weights is None else weights)
    return cohort


def keys(net, lanes):
    return network_streams.noise_keys(net, {"dropout": range(lanes), "augment": range(lanes)})


def plan(net, lanes, epoch=0, momentum=False, images=()):
    draw = np.random.default_rng(epoch)
    return EpochPlan(
        order=streams.batch_order("task", [np.arange(ROWS)] * lanes, range(lanes), epoch),
        batch=BATCH,
        rate=draw.uniform(0.01, 0.1, size=(lanes, STEPS)),
        momentum=draw.uniform(0.5, 0.95, size=(lanes, STEPS)) if momentum else None,
        noise=keys(net, lanes),
        step=epoch * STEPS,
        changes=network_streams.image_changes("task", images, range(lanes), epoch, ROWS, FEATURES)
        if images
        else None,
    )


def lane_of(plan, lane):
    """The same plan for one lane only."""
    return EpochPlan(
        order=plan.order[[lane]],
        batch=plan.batch,
        rate=plan.rate[[lane]],
        momentum=None if plan.momentum is None else plan.momentum[[lane]],
        noise={label: key[[lane]] for label, key in plan.noise.items()},
        step=plan.step,
        changes=None if plan.changes is None else plan.changes[[lane]],
    )


def standing(net, lanes=2, **options):
    """An epoch at rate zero: its losses are those of the first weights."""
    taken = plan(net, lanes, epoch=5, **options)
    return EpochPlan(**{**vars(taken), "rate": 0 * taken.rate})


def steps_of(plan):
    """Lane, step, rows and number in the noise counter of every step of a plan."""
    for lane, step in np.ndindex(plan.rate.shape):
        rows = plan.order[lane, step * BATCH : (step + 1) * BATCH]
        yield lane, step, rows, plan.step + step


def squared(outputs, labels):
    return np.mean((outputs[:, 0] - labels) ** 2)


def test_a_solo_lane_with_batch_norm_is_keras_train_on_batch(double):
    options = {"momentum": 0.875, "epsilon": 2**-6}
    norm = {"name": "batch_norm", **options}
    net = network(norm, dense(activation="tanh"), norm)
    own = {"dtype": "float64"}
    model = keras.Sequential(
        [
            keras.layers.Input((FEATURES,), **own),
            keras.layers.BatchNormalization(**options, **own),
            keras.layers.Dense(5, "tanh", **own),
            keras.layers.BatchNormalization(**options, **own),
            keras.layers.Dense(3, "softmax", **own),
        ]
    )
    start = first_weights(net, 1)
    model.set_weights([value[0] for value in start.values()])
    loss = keras.losses.SparseCategoricalCrossentropy(**own)
    model.compile(keras.optimizers.SGD(1 / 64), loss, run_eagerly=True)
    cohort, data = begun(double, net, 1, start), splits()
    order = plan(net, 1).order
    cohort.train(EpochPlan(order, BATCH, np.full((1, STEPS), 1 / 64), None, {}, 0))
    for first in range(0, ROWS, BATCH):  # the last, smaller batch too
        rows = order[0, first : first + BATCH]
        model.train_on_batch(data.train.inputs[rows], data.train.labels[rows])
    for result, expected in zip(cohort.weights().values(), model.get_weights(), strict=True):
        np.testing.assert_allclose(result[0], expected, rtol=1e-9, atol=1e-14)
    scores = cohort.score(("loss",), probabilities=True)
    np.testing.assert_allclose(scores.probabilities[0], model(data.test.inputs), rtol=1e-8)


def test_a_frozen_batch_norm_predicts_and_stays(double):
    net = network("batch_norm", dense(activation="relu"))
    start = first_weights(net, 2)
    cohort = begun(double, net, weights=start, frozen=("batch_norm1",))
    result = cohort.train(standing(net))
    inputs, label = splits().train.inputs, "batch_norm1"
    for lane, step, rows, _ in steps_of(standing(net)):
        own = {name: value[lane] for name, value in start.items()}
        root = np.sqrt(own[f"{label}/moving_variance"] + 1e-3)
        values = (inputs[rows] - own[f"{label}/moving_mean"]) / root
        values = values * own[f"{label}/gamma"] + own[f"{label}/beta"]
        values = np.maximum(values @ own["hidden1/kernel"] + own["hidden1/bias"], 0)
        logits = values @ own["output/kernel"] + own["output/bias"]
        right = logits[np.arange(len(rows)), splits().train.labels[rows]]
        expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - right)
        assert result.loss[lane, step] == pytest.approx(expected, rel=1e-12)
    cohort.train(plan(net, 2))
    gradient = cohort.gradient(Batch(np.zeros((2, 4), np.int32)))
    for name, value in cohort.weights().items():
        assert np.array_equal(value, start[name]) == name.startswith(label)
        assert (name in gradient) != name.startswith(label)


def test_moving_averages_have_no_gradient_and_gradients_move_nothing(double):
    net = network("batch_norm", dense())
    cohort = begun(double, net)
    before = cohort.weights()
    gradient = cohort.gradient(Batch(np.arange(8, dtype=np.int32).reshape(2, 4)))
    cohort.activity(Batch(np.arange(8, dtype=np.int32).reshape(2, 4)), training=True)
    assert set(gradient) == set(net.trained())
    for name, value in cohort.weights().items():
        np.testing.assert_array_equal(value, before[name])


def test_drop_connect_drops_the_weights_that_the_definition_drops(double):
    net = line(dense(drop_connect={"rate": 0.4}))
    start, data, taken = first_weights(net, 2), splits("targets").train, standing(net)
    result = begun(double, net, weights=start).train(taken)
    for lane, step, rows, number in steps_of(taken):
        own = {name: value[lane] for name, value in start.items()}
        key = taken.noise["hidden1/kernel"][[lane]]
        kept = definition.kept(key, number, FEATURES, 5, 0.4)[0] * definition.keep_scale(0.4)
        values = data.inputs[rows] @ (own["hidden1/kernel"] * kept) + own["hidden1/bias"]
        outputs = values @ own["output/kernel"] + own["output/bias"]
        expected = squared(outputs, data.labels[rows])
        assert result.loss[lane, step] == pytest.approx(expected, rel=1e-12)


def test_white_noise_and_drawn_slopes_are_those_of_the_definition(double):
    function = {"name": "rrelu", "lower": 0.1, "upper": 0.6}
    net = line({"name": "gaussian_noise", "sd": 0.7}, {"name": "activation", "function": function})
    start, data, taken = first_weights(net, 2), splits("targets").train, standing(net)
    cohort = begun(double, net, weights=start)
    result = cohort.train(taken)
    for lane, step, rows, number in steps_of(taken):
        white, slopes = (taken.noise[label][[lane]] for label in ("noise1", "activation1"))
        shape = (len(rows), FEATURES)
        drawn = definition.normals(white, number, len(rows) * FEATURES)[0].reshape(shape)
        values = data.inputs[rows] + 0.7 * drawn
        values *= np.where(values > 0, 1, definition.slopes(slopes, number, *shape, 0.1, 0.6)[0])
        outputs = values @ start["output/kernel"][lane] + start["output/bias"][lane]
        expected = squared(outputs, data.labels[rows])
        assert result.loss[lane, step] == pytest.approx(expected, rel=1e-12)
    valid = splits("targets").valid
    values = np.where(valid.inputs > 0, valid.inputs, 0.35 * valid.inputs)
    outputs = values @ start["output/kernel"][0] + start["output/bias"][0]
    loss = cohort.evaluate("valid", ("loss",)).metrics["loss"][0]
    assert loss == pytest.approx(squared(outputs, valid.labels), rel=1e-12)


def test_skip_connections_add_and_a_scale_multiplies(double):
    skip = {"name": "skip", "of": "input"}
    net = line(dense(FEATURES, activation="tanh"), skip, dense(FEATURES), "scale", skip)
    start, data, taken = first_weights(net, 2), splits("targets").train, standing(net)
    result = begun(double, net, weights=start).train(taken)
    for lane, step, rows, _ in steps_of(taken):
        own, inputs = {name: value[lane] for name, value in start.items()}, data.inputs[rows]
        values = np.tanh(inputs @ own["hidden1/kernel"] + own["hidden1/bias"]) + inputs
        values = values @ own["hidden2/kernel"] + own["hidden2/bias"]
        values = values * own["scale1/multiplier"] + inputs
        outputs = values @ own["output/kernel"] + own["output/bias"]
        expected = squared(outputs, data.labels[rows])
        assert result.loss[lane, step] == pytest.approx(expected, rel=1e-12)


def test_images_change_inside_the_step(double):
    net = line()
    drawn = (augmentation.Shift(), augmentation.Rotate(degrees=40), augmentation.Contrast())
    start, data, taken = first_weights(net, 2), splits("targets").train, standing(net, images=drawn)
    result = begun(double, net, weights=start).train(taken)
    for lane, step, rows, _ in steps_of(taken):
        changes = taken.changes[lane, step * BATCH : (step + 1) * BATCH]
        images = augmentation.augmented(data.inputs[rows].reshape(-1, 3, 3), changes)
        outputs = images.reshape(-1, 9) @ start["output/kernel"][lane] + start["output/bias"][lane]
        expected = squared(outputs, data.labels[rows])
        assert result.loss[lane, step] == pytest.approx(expected, rel=1e-12)


def test_penalties_are_reported_apart_and_are_part_of_the_gradient(double):
    penalised = network(dense(penalty={"name": "l1_l2", "l1": 0.03, "l2": 0.05}))
    plain = network(dense())
    batch = Batch(np.arange(8, dtype=np.int32).reshape(2, 4))
    both = [begun(double, net) for net in (penalised, plain)]
    with_penalty, without = (cohort.gradient(batch) for cohort in both)
    kernel = first_weights(plain, 2)["hidden1/kernel"]
    np.testing.assert_allclose(
        with_penalty["hidden1/kernel"] - without["hidden1/kernel"],
        0.03 * np.sign(kernel) + 0.1 * kernel,
        rtol=1e-11,
    )
    np.testing.assert_array_equal(with_penalty["output/kernel"], without["output/kernel"])
    frozen = begun(double, penalised, frozen=("hidden1",))
    result, other = (cohort.train(standing(penalised)) for cohort in (frozen, both[1]))
    expected = 0.03 * np.abs(kernel).sum((1, 2)) + 0.05 * (kernel**2).sum((1, 2))
    np.testing.assert_allclose(result.penalty, np.tile(expected[:, None], STEPS), rtol=1e-13)
    np.testing.assert_allclose(result.loss, other.loss, rtol=1e-13)
    assert other.penalty is None


@pytest.mark.parametrize("kind", ["clip_norm", "global_clip_norm"])
def test_a_step_goes_no_further_than_its_clipped_gradient_in_each_lane(double, kind):
    net, limit = network(dense(activation="tanh")), 0.05
    cohort = begun(double, net, clipping={"name": kind, "limit": limit})
    taken = plan(net, 2)
    one = EpochPlan(taken.order[:, :BATCH], BATCH, np.array([[0.5], [1.0]]), None, {}, 0)
    gradient = cohort.gradient(Batch(one.order))
    before = cohort.weights()
    cohort.train(one)
    norms = {name: np.sqrt((g**2).sum(tuple(range(1, g.ndim)))) for name, g in gradient.items()}
    whole = np.sqrt(sum(norm**2 for norm in norms.values()))
    assert (whole > limit).all()
    for name, after in cohort.weights().items():
        share = np.minimum(1, limit / (norms[name] if kind == "clip_norm" else whole))
        each = (-1, *[1] * (gradient[name].ndim - 1))
        step = (one.rate[:, 0] * share).reshape(each) * gradient[name]
        np.testing.assert_allclose(before[name] - after, step, rtol=1e-9, atol=1e-15)


def test_max_norm_holds_for_the_trained_layers_alone(double):
    held = {"max_norm": {"radius": 0.4}}
    net = network(dense(activation="relu", **held), dense(4, **held))
    start = first_weights(net, 2)
    cohort = begun(double, net, weights=start, frozen=("hidden1",))
    cohort.train(plan(net, 2))
    after = cohort.weights()
    assert (np.linalg.norm(after["hidden2/kernel"], axis=1) <= 0.4 * (1 + 1e-12)).all()
    assert (np.linalg.norm(start["hidden2/kernel"], axis=1) > 0.4).any()
    np.testing.assert_array_equal(after["hidden1/kernel"], start["hidden1/kernel"])


def test_zeros_stay_zero_only_if_the_phase_keeps_them(double):
    net = network(dense(activation="tanh"))
    start = first_weights(net, 2)
    start["hidden1/kernel"][0, ::2] = 0
    start["output/bias"][:] = 0
    for keep in (True, False):
        cohort = begun(double, net, weights=start, keep_zeros=keep, optimizer="momentum")
        cohort.train(plan(net, 2, momentum=True))
        after = cohort.weights()
        stayed = (after["hidden1/kernel"] == 0) == (start["hidden1/kernel"] == 0)
        assert stayed.all() == keep
        assert (after["output/bias"] != 0).all()


def moments(values):
    return values.mean(0).mean(), values.std(0).mean(), (values == 0).all(0).mean()


def test_activity_has_the_moments_of_each_layers_outputs(double):
    net = network({"name": "dropout", "rate": 0.5}, dense(7, activation="relu"))
    start, data = first_weights(net, 3), splits().train
    start["hidden1/bias"][:, 0] = -100  # a dead unit
    rows = np.stack([np.roll(np.arange(ROWS, dtype=np.int32), lane) for lane in range(3)])
    batch = Batch(rows, keys(net, 3), 4)
    cohort = begun(double, net, 3, start)
    for training in (True, False):
        result = cohort.activity(batch, training=training)
        assert list(result) == ["dropout1", "hidden1", "output"]
        for lane in range(3):
            own, values = {n: v[lane] for n, v in start.items()}, data.inputs[rows[lane]]
            if training:
                kept = definition.kept(batch.noise["dropout1"][[lane]], 4, ROWS, FEATURES, 0.5)[0]
                values = values * kept * definition.keep_scale(0.5)
            hidden = np.maximum(values @ own["hidden1/kernel"] + own["hidden1/bias"], 0)
            odds = np.exp(hidden @ own["output/kernel"] + own["output/bias"])
            outputs = odds / odds.sum(axis=1, keepdims=True)
            for activity, expected in zip(result.values(), (values, hidden, outputs), strict=True):
                got = (activity.mean[lane], activity.sd[lane], activity.dead[lane])
                np.testing.assert_allclose(got, moments(expected), rtol=1e-12)
        assert (result["hidden1"].dead >= 1 / 7).all()


@pytest.mark.parametrize(("output", "units"), [("softmax", 3), ("logistic", 1)])
def test_sampling_is_the_mean_over_dropout_of_the_definition(double, output, units):
    quiet = {"name": "gaussian_noise", "sd": 9.0}  # on in training alone
    net = network(quiet, {"name": "dropout", "rate": 0.3}, units=units, output=output)
    start, test = first_weights(net, 2), splits(kind_of(net)).test
    noise = {label: key for label, key in keys(net, 2).items() if label == "dropout1"}
    cohort = begun(double, net, weights=start)
    scores = cohort.score(("loss", "accuracy"), probabilities=True, sampling=Sampling(4, noise))
    expected = np.zeros((2, TEST, units))
    for lane, sample, block in np.ndindex(2, 4, 3):  # 1000 + 1000 + 300 rows
        rows = slice(1000 * block, 1000 * (block + 1))
        inputs = test.inputs[rows]
        kept = definition.kept(
            noise["dropout1"][[lane]], sample * 3 + block, len(inputs), FEATURES, 0.3
        )[0]
        logits = (inputs * kept * definition.keep_scale(0.3)) @ start["output/kernel"][lane]
        odds = np.exp(logits + start["output/bias"][lane])
        total = odds.sum(axis=1, keepdims=True) if units > 1 else 1 + odds
        expected[lane, rows] += odds / total / 4
    np.testing.assert_allclose(scores.probabilities, expected, rtol=1e-11)
    right = expected[:, np.arange(TEST), test.labels] if units > 1 else None
    if right is None:
        right = np.where(test.labels, expected[..., 0], 1 - expected[..., 0])
    np.testing.assert_allclose(scores.metrics["loss"], -np.log(right).mean(axis=1), rtol=1e-12)
    guess = expected.argmax(axis=2) if units > 1 else expected[..., 0] > 0.5
    np.testing.assert_allclose(
        scores.metrics["accuracy"], (guess == test.labels).mean(axis=1), rtol=1e-12
    )


IMAGES = (augmentation.Shift(), augmentation.Rotate(), augmentation.Brightness())


CLIPPED = {"name": "global_clip_norm", "limit": 0.5}


TOGETHER = {"optimizer": "nadam", "clipping": CLIPPED}


LANES = 2  # so many that two cores have one each, and the program of one lane serves


def test_a_lane_is_the_same_training_as_that_seed_alone(double):
    net = network(*EVERYTHING)
    weights = first_weights(net, LANES)
    together = begun(double, net, LANES, weights, **TOGETHER)
    alone = begun(double, net, 1, {k: v[1:2] for k, v in weights.items()}, **TOGETHER)
    for epoch in range(20):  # 60 steps
        both = plan(net, LANES, epoch, images=IMAGES)
        trace, solo = together.train(both), alone.train(lane_of(both, 1))
        np.testing.assert_allclose(trace.loss[1:2], solo.loss, rtol=1e-9)
        np.testing.assert_allclose(trace.penalty[1:2], solo.penalty, rtol=1e-9)
    for name, value in alone.weights().items():
        distance = np.linalg.norm(together.weights()[name][1] - value[0])
        assert distance <= 1e-9 * np.linalg.norm(value)


def test_a_nan_lane_leaves_the_others_bit_identical(single):
    net, ends = network(*EVERYTHING), []
    for ill in (False, True):
        weights = first_weights(net, LANES)
        if ill:
            weights["hidden2/kernel"][1, 0, 0] = np.nan
        cohort = begun(single, net, LANES, weights, **TOGETHER)
        for epoch in range(2):
            trace = cohort.train(plan(net, LANES, epoch, images=IMAGES))
        ends.append(cohort.weights())
    assert np.isnan(trace.loss[1]).all()
    assert np.isfinite(trace.loss[0]).all()
    for name in ends[0]:
        np.testing.assert_array_equal(ends[0][name][0], ends[1][name][0])


def other_numbers(value):
    """The same tables with other numbers, of which none decides what is compiled."""
    if isinstance(value, dict):
        return {key: other_numbers(each) for key, each in value.items()}
    return 0.9 * value if isinstance(value, float) else value


def test_other_numbers_compile_nothing(single):
    def run(layers, **options):
        net = network(*layers)
        cohort = begun(single, net, LANES, **options)
        trace = cohort.train(plan(net, LANES, images=IMAGES))
        return trace.compilations, cohort.weights()

    _, start = run(EVERYTHING, **TOGETHER)
    nadam = {"name": "nadam", "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-3, "decay": 0.5}
    others = [other_numbers(layer) for layer in EVERYTHING]
    compilations, end = run(others, optimizer=nadam, clipping=CLIPPED | {"limit": 0.1})
    assert compilations == 0
    assert not np.allclose(start["hidden1/kernel"], end["hidden1/kernel"])
