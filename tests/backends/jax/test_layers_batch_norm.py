"""The JAX wing's batch normalisation against PyTorch and NumPy."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("optax")

from tests.backends.jax.toy import (
    BATCH,
    FEATURES,
    LINEAR,
    ROWS,
    batch_of,
    examples,
    lane_of,
    network,
    one_step,
    perturbed,
    plan,
    started,
)

NORMALISED = network({"name": "batch_norm", "momentum": 0.7, "epsilon": 0.02}, LINEAR)


def test_batch_norm_is_pytorchs_in_a_training_step(double):
    torch = pytest.importorskip("torch")
    first, data, steps = perturbed(NORMALISED), examples(NORMALISED), one_step(NORMALISED)
    cohort = started(double, NORMALISED, first)
    ours = cohort.gradient(batch_of(steps))
    loss = cohort.train(steps).loss[:, 0]
    for lane in range(3):
        theirs = {n: torch.tensor(v, requires_grad=True) for n, v in lane_of(first, lane).items()}
        rows = steps.order[lane]
        normal = torch.nn.functional.batch_norm(
            torch.tensor(data.train.inputs[rows]),
            *(None, None),
            theirs["batch_norm1/gamma"],
            theirs["batch_norm1/beta"],
            training=True,
            eps=0.02,
        )
        error = normal @ theirs["output/kernel"] + theirs["output/bias"]
        error = ((error[:, 0] - torch.tensor(data.train.labels[rows])) ** 2).mean()
        error.backward()
        np.testing.assert_allclose(loss[lane], error.item(), rtol=1e-12)
        for name, value in ours.items():
            np.testing.assert_allclose(value[lane], theirs[name].grad, rtol=1e-9, atol=1e-13)


def test_batch_norm_moves_its_averages_by_the_biased_variance_of_the_real_rows(double):
    """Over an epoch whose last batch is smaller."""
    first, data, steps = perturbed(NORMALISED), examples(NORMALISED), plan(NORMALISED)
    cohort = started(double, NORMALISED, first)
    cohort.train(steps)
    ended = cohort.weights()
    assert list(ended) == list(NORMALISED.variables(FEATURES))
    for lane in range(3):
        mean, variance = (first[f"batch_norm1/moving_{n}"][lane] for n in ("mean", "variance"))
        for rows in np.split(steps.order[lane], range(BATCH, ROWS, BATCH)):
            inputs = data.train.inputs[rows]
            mean = 0.7 * mean + (1 - 0.7) * inputs.mean(axis=0)
            variance = 0.7 * variance + (1 - 0.7) * inputs.var(axis=0)
        np.testing.assert_allclose(ended["batch_norm1/moving_mean"][lane], mean, rtol=1e-12)
        np.testing.assert_allclose(ended["batch_norm1/moving_variance"][lane], variance, rtol=1e-12)


def normalised_loss(weights, split, rows):
    """Return the loss of `NORMALISED` with its moving averages, in plain NumPy."""
    sd = np.sqrt(weights["batch_norm1/moving_variance"] + 0.02)
    normal = (split.inputs[rows] - weights["batch_norm1/moving_mean"]) / sd
    normal = normal * weights["batch_norm1/gamma"] + weights["batch_norm1/beta"]
    output = normal @ weights["output/kernel"] + weights["output/bias"]
    return np.mean((output[:, 0] - split.labels[rows]) ** 2)


def test_batch_norm_predicts_with_its_moving_averages(double):
    first, data = perturbed(NORMALISED), examples(NORMALISED)
    losses = started(double, NORMALISED, first).evaluate("valid", ("loss",)).metrics["loss"]
    for lane in range(3):
        expected = normalised_loss(lane_of(first, lane), data.valid, slice(None))
        np.testing.assert_allclose(losses[lane], expected, rtol=1e-12)


def test_a_frozen_batch_norm_uses_its_moving_averages_and_leaves_them_unchanged(double):
    first, data, steps = perturbed(NORMALISED), examples(NORMALISED), plan(NORMALISED)
    cohort = started(double, NORMALISED, first, frozen=("batch_norm1",))
    gradient = cohort.gradient(batch_of(steps))
    loss = cohort.train(steps).loss
    assert list(gradient) == ["output/kernel", "output/bias"]
    for lane in range(3):
        rows = steps.order[lane, :BATCH]
        expected = normalised_loss(lane_of(first, lane), data.train, rows)
        np.testing.assert_allclose(loss[lane, 0], expected, rtol=1e-12)
    for name, value in cohort.weights().items():
        assert np.array_equal(value, first[name]) == name.startswith("batch_norm1")
