"""The parity kit: known distances, every hyperparameter mutated, every mutation noticed."""

import numpy as np
import pytest
from manyseeds_numpy.training import NumpyBackend

from manyseeds.backend import Batch, Settings
from manyseeds.conformance.mutations import mutations
from manyseeds.conformance.outcome import parity_recipes
from manyseeds.conformance.parity import TOLERANCE, compare, relative_distance
from manyseeds.conformance.trajectory import follow, single_steps
from manyseeds.datasets import task_splits
from manyseeds.errors import RunError
from manyseeds.network import Network
from manyseeds.recipe import Phase, Recipe, Task
from manyseeds.technique import techniques
from manyseeds.training import State, Timetable, first_weights, seeds_of

STREAMS = ("init", "order", "dropout")
LANES = seeds_of(range(2), STREAMS)
RECIPES = parity_recipes()


def followed(recipe, steps=6):
    return follow(NumpyBackend(Settings(precision="float64")), recipe, LANES, steps)


def trajectory(**changes):
    arrays = {
        "train/loss": np.ones((2, 3)),
        "train/gradient/output/kernel": np.ones((2, 3, 4, 5)),
        "train/weights/output/kernel": np.ones((2, 4, 5)),
        "train/valid_loss": np.ones(2),
    }
    return arrays | {f"train/{name}": values for name, values in changes.items()}


def moved(shape, where, by):
    values = np.ones(shape)
    values[where] += by
    return values


# ---------------------------------------------------------------- distances


def test_equal_trajectories_are_at_no_distance():
    found = compare(trajectory(), trajectory())
    assert found.error == 0
    assert found.same


def test_the_error_is_the_largest_relative_distance_of_a_step_and_lane():
    ours = trajectory(loss=moved((2, 3), (1, 2), 1e-3))
    assert compare(ours, trajectory()).loss == pytest.approx(1e-3)
    # One element of a 4 x 5 kernel: 1e-3 / sqrt(20), of its own step alone.
    ours = trajectory(**{"gradient/output/kernel": moved((2, 3, 4, 5), (0, 1, 2, 3), 1e-3)})
    assert compare(ours, trajectory()).gradient == pytest.approx(1e-3 / np.sqrt(20))
    ours = trajectory(**{"weights/output/kernel": moved((2, 4, 5), (1, 0, 0), 1e-3)})
    assert compare(ours, trajectory()).weights == pytest.approx(1e-3 / np.sqrt(20))
    ours = trajectory(valid_loss=moved(2, 1, 1e-3))
    found = compare(ours, trajectory())
    assert found.scores == pytest.approx(1e-3)
    assert (found.loss, found.gradient, found.weights) == (0, 0, 0)


def test_the_error_is_the_largest_over_the_tensors():
    names = [f"weights/{layer}/bias" for layer in ("hidden1", "hidden2", "output")]
    plain = {name: np.ones((2, 3)) for name in names}
    for worst in names:
        ours = {name: np.full((2, 3), 1 + (1e-3 if name == worst else 1e-6)) for name in names}
        assert compare(trajectory(**ours), trajectory(**plain)).weights == pytest.approx(1e-3)


def test_the_limit_is_the_tolerance():
    assert compare(trajectory(valid_loss=moved(2, 1, 0.9 * TOLERANCE)), trajectory()).same
    assert not compare(trajectory(valid_loss=moved(2, 1, 1.1 * TOLERANCE)), trajectory()).same


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["ours", "theirs", "both"])
def test_what_is_not_finite_is_never_the_same(value, side):
    odd = trajectory(loss=moved((2, 3), (0, 0), value))
    ours = trajectory() if side == "theirs" else odd
    theirs = trajectory() if side == "ours" else odd
    assert not compare(ours, theirs).same


def test_zero_against_zero_is_the_same_and_against_anything_else_is_not():
    zeros = np.zeros((2, 3))
    assert relative_distance(zeros, zeros, 1) == 0
    assert relative_distance(zeros + 1e-30, zeros, 1) == np.inf


def test_other_shapes_and_other_tensors_are_never_the_same():
    assert not compare(trajectory(valid_loss=np.ones(3)), trajectory()).same
    fewer = trajectory()
    del fewer["train/gradient/output/kernel"]
    with pytest.raises(RunError, match="different tensors: train/gradient/output/kernel"):
        compare(fewer, trajectory())


# ---------------------------------------------------------------- mutations


def test_every_numeric_hyperparameter_is_mutated_by_one_per_cent():
    network = Network(
        name="net",
        layers=(
            {"name": "dropout", "rate": 0.2},
            {"name": "dense", "units": 4, "activation": {"name": "elu", "alpha": 0.8}},
            {"name": "dense", "units": 10, "activation": "softmax"},
        ),
    )
    schedule = {"name": "power", "s": 10.0, "c": 2.0}
    phase = Phase(
        name="train",
        task=Task(name="digits", dataset="digits"),
        network=network,
        epochs=3,
        rate=0.1,
        optimizer={"name": "adam"},
        schedule=schedule,
    )
    found = {m.place: m.recipe for m in mutations(Recipe(name="all", phases=(phase,)))}
    assert set(found) == {
        f"phases.0.{place}"
        for place in (
            "rate",
            "network.layers.0.rate",
            "network.layers.1.activation.alpha",
            "optimizer.beta1",
            "optimizer.beta2",
            "optimizer.epsilon",
            "schedule.s",
            "schedule.c",
        )
    }
    assert found["phases.0.rate"].phases[0].rate == pytest.approx(0.101)
    # 0.999 x 1.01 is no decay: it is divided.
    assert found["phases.0.optimizer.beta2"].phases[0].optimizer.beta2 == pytest.approx(
        0.999 / 1.01
    )
    assert len({recipe.fingerprint() for recipe in found.values()}) == len(found)


def test_the_parity_recipes_have_every_technique_there_is():
    used = set()

    def collect(value):
        if isinstance(value, dict):
            used.add(value.get("name"))
            for item in value.values():
                collect(item)
        elif isinstance(value, list | tuple):
            for item in value:
                collect(item)

    collect([recipe.model_dump() for recipe in RECIPES.values()])
    # Initialisers are drawn by the harness, early stopping is decided by it.
    left_out = {"standard_normal", "early_stopping"}
    names = {cls.model_fields["name"].default for cls in techniques()}
    assert names - used == left_out


@pytest.mark.parametrize(
    "name", ["tanh_lecun_adam", "selu_dropout_sgd", "relu_nesterov_exponential"]
)
def test_a_mutated_recipe_is_noticed(name):
    plain = followed(RECIPES[name])
    assert compare(followed(RECIPES[name]), plain).error == 0
    changed = list(mutations(RECIPES[name]))
    assert changed
    for mutation in changed:
        assert not compare(followed(mutation.recipe), plain).same, mutation.place


# ---------------------------------------------------------------- trajectories


def test_single_steps_are_the_steps_of_the_epochs():
    phase = RECIPES["selu_glorot_sgd"].phases[0]
    timetable = Timetable.of(phase, State.start(2), LANES, 200)
    steps = list(single_steps(timetable, 9))
    assert timetable.steps == 7
    assert [plan.step for plan in steps] == list(range(9))
    assert [plan.order.shape[1] for plan in steps] == [32] * 6 + [8] + [32, 32]
    whole = timetable.plan(0, np.empty((0, 2)))
    assert (np.concatenate([plan.order for plan in steps[:7]], axis=1) == whole.order).all()


def test_following_steps_is_training_epochs():
    recipe = RECIPES["selu_dropout_sgd"]
    (phase,) = recipe.phases
    data = task_splits(phase.task, "float64")
    cohort = NumpyBackend(Settings(precision="float64")).cohort(phase.network, data, 2)
    cohort.begin(phase, first_weights(phase, State.start(2), LANES, 64))
    timetable = Timetable.of(phase, State.start(2), LANES, len(data.train))
    loss = [cohort.train(timetable.plan(epoch, np.empty((0, 2)))).loss for epoch in range(2)]
    found = followed(recipe, steps=14)
    np.testing.assert_array_equal(found["train/loss"], np.concatenate(loss, axis=1))
    for name, values in cohort.weights().items():
        np.testing.assert_array_equal(found[f"train/weights/{name}"], values)


def test_a_gradient_is_the_slope_of_the_loss():
    """The NumPy backend, the model of the others, against finite differences."""
    for name in ("elu_he_momentum", "selu_dropout_sgd", "logistic_binary_adam"):
        (phase,) = RECIPES[name].phases
        data = task_splits(phase.task, "float64")
        cohort = NumpyBackend(Settings(precision="float64")).cohort(phase.network, data, 2)
        weights = first_weights(phase, State.start(2), LANES, 64)
        timetable = Timetable.of(phase, State.start(2), LANES, len(data.train))
        plan = next(single_steps(timetable, 1))
        direction = {
            n: np.random.default_rng(1).standard_normal(w.shape) for n, w in weights.items()
        }

        def loss(by, phase=phase, weights=weights, cohort=cohort, plan=plan, to=direction):
            cohort.begin(phase, {n: w + by * to[n] for n, w in weights.items()})
            return cohort.train(plan).loss[:, 0]

        slope = (loss(1e-8) - loss(-1e-8)) / 2e-8
        cohort.begin(phase, weights)
        gradient = cohort.gradient(Batch(rows=plan.order, noise=plan.noise, step=plan.step))
        along = sum((gradient[n] * direction[n]).reshape(2, -1).sum(axis=1) for n in gradient)
        assert slope == pytest.approx(along, rel=1e-5)
