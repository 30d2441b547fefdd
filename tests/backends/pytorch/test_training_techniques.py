"""PyTorch's training with every technique: penalties, constraints, augmentation."""

from dataclasses import replace

import numpy as np
import pytest

from manyseeds.techniques import augmentation

torch = pytest.importorskip("torch")
pytest.importorskip("numba")

from tests.backends.pytorch.distance import distance  # noqa: E402
from tests.backends.pytorch.technique_toy import (  # noqa: E402
    AUGMENTATION,
    BATCH,
    EVERYTHING,
    FAMILIAR,
    FEATURES,
    SIDE,
    a_network,
    a_phase,
    a_plan,
    begun,
    first_batch,
    first_weights,
    some_data,
)

RANDOM = np.random.default_rng(5)


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
        own = gradient[name][(slice(None), *index)]
        np.testing.assert_allclose(own, slope, rtol=1e-6, atol=1e-9)


def test_gradient_is_not_clipped(double):
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
    moving_mean = cohort.weights()["batch_norm1/moving_mean"]
    np.testing.assert_allclose(moving_mean, mean, rtol=1e-10, atol=1e-13)


def test_hyperparameters_of_a_phase_take_effect(double):
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
