"""The parity kit: known distances, every hyperparameter mutated, every mutation caught."""

from collections import Counter
from typing import get_args

import numpy as np
import pytest
from manyseeds_numpy.training import NumpyBackend
from pydantic import ValidationError

from manyseeds.backend.settings import Settings
from manyseeds.conformance.comparison import CHECKS, TOLERANCE, compare, relative_distance
from manyseeds.conformance.deviations import Deviation, deviations
from manyseeds.conformance.mutations import all_mutations, mutations
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.conformance.trajectory import follow, single_steps
from manyseeds.datasets import task_splits
from manyseeds.execution.state import State
from manyseeds.execution.timetable import Timetable, first_weights
from manyseeds.randomness.lanes import seeds_of
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import used
from manyseeds.techniques.registry import technique_name, techniques

STREAMS = ("init", "order", "dropout")
LANES = seeds_of(range(2), STREAMS)
RECIPES = parity_recipes()
MUTATIONS = mutations(RECIPES)


def followed(recipe, steps=6):
    return follow(NumpyBackend(Settings(precision="float64")), recipe, LANES, steps)


def trajectory(**changes):
    arrays = {
        "train/loss": np.ones((2, 3)),
        "train/gradient/output/kernel": np.ones((2, 3, 4, 5)),
        "train/weights/output/kernel": np.ones((2, 4, 5)),
        "train/scores/valid_loss": np.ones(2),
    }
    return arrays | {f"train/{name}": values for name, values in changes.items()}


def errors(**changes):
    """The checks in which a changed trajectory differs, and by how much."""
    found = compare(trajectory(**changes), trajectory()).errors
    return {check: error for check, error in found.items() if error}


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
    assert errors(loss=moved((2, 3), (1, 2), 1e-3)) == {"trajectory": pytest.approx(1e-3)}
    # One element of a 4 x 5 kernel: 1e-3 / sqrt(20), of its own step alone.
    part = pytest.approx(1e-3 / np.sqrt(20))
    for step, checks in enumerate((("gradient",), ("step",), ())):
        found = errors(**{"gradient/output/kernel": moved((2, 3, 4, 5), (0, step, 2, 3), 1e-3)})
        assert found == dict.fromkeys((*checks, "trajectory"), part)
    found = errors(loss=moved((2, 3), (0, 0), 1e-3))
    assert found == dict.fromkeys(("forward", "trajectory"), pytest.approx(1e-3))
    found = errors(**{"weights/output/kernel": moved((2, 4, 5), (1, 0, 0), 1e-3)})
    assert found == {"weights": part}
    found = errors(**{"scores/valid_loss": moved(2, 1, 1e-3)})
    assert found == {"evaluation": pytest.approx(1e-3)}


def test_the_error_is_the_largest_over_the_tensors():
    names = [f"weights/{layer}/bias" for layer in ("hidden1", "hidden2", "output")]
    plain = {name: np.ones((2, 3)) for name in names}
    for worst in names:
        ours = {name: np.full((2, 3), 1 + (1e-3 if name == worst else 1e-6)) for name in names}
        found = compare(trajectory(**ours), trajectory(**plain))
        assert found.errors["weights"] == found.error == pytest.approx(1e-3)


def test_the_limit_is_the_tolerance():
    for share, same in ((0.9, True), (1.1, False)):
        ours = trajectory(**{"scores/valid_loss": moved(2, 1, share * TOLERANCE)})
        assert compare(ours, trajectory()).same is same


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["ours", "theirs", "both"])
def test_values_that_are_not_finite_are_never_the_same(value, side):
    odd = trajectory(loss=moved((2, 3), (0, 0), value))
    ours = trajectory() if side == "theirs" else odd
    theirs = trajectory() if side == "ours" else odd
    assert not compare(ours, theirs).same


def test_zero_against_zero_is_the_same_and_against_anything_else_is_not():
    zeros = np.zeros((2, 3))
    assert relative_distance(zeros, zeros, 1) == 0
    assert relative_distance(zeros + 1e-30, zeros, 1) == np.inf


def test_different_shapes_and_different_tensors_are_never_the_same():
    assert not compare(trajectory(**{"scores/valid_loss": np.ones(3)}), trajectory()).same
    fewer = trajectory()
    del fewer["train/gradient/output/kernel"]
    for found in (compare(fewer, trajectory()), compare(trajectory(), fewer)):
        assert found.errors == dict.fromkeys(CHECKS, np.inf)


# ---------------------------------------------------------------- mutations


def test_every_real_number_of_every_technique_is_changed_once_by_one_per_cent():
    """Values that the harness draws or decides itself are not changed."""
    changed = Counter(m.subject for m in MUTATIONS if m.change == "× 1.01")
    wanted = {
        f"{technique_name(cls)}.{field}"
        for cls in techniques()
        if cls.kind != "initialiser"
        for field, about in cls.model_fields.items()
        if float in members(about.annotation)
    }
    assert set(changed) == wanted | {"phase.rate"}
    assert set(changed.values()) == {1}


def members(annotation):
    return {annotation}.union(*(members(part) for part in get_args(annotation)))


def test_a_number_is_divided_where_the_product_is_out_of_range():
    (found,) = [m for m in MUTATIONS if m.subject == "adam.beta2"]
    assert found.mutated.phases[0].optimizer.beta2 == pytest.approx(0.999 / 1.01)
    (found,) = [m for m in MUTATIONS if m.subject == "phase.rate"]
    assert found.mutated.phases[0].rate == pytest.approx(
        RECIPES[found.recipe].phases[0].rate * 1.01
    )


def test_every_convention_is_flipped():
    flipped = {(m.subject, m.change) for m in MUTATIONS if m.change != "× 1.01"}
    kinds = {technique_name(cls): cls.kind for cls in techniques()}
    replaced = {kinds[subject] for subject, change in flipped if "next" in change}
    assert replaced == {"activation", "optimizer", "schedule", "clipping", "regularisation"}
    assert {subject for subject, change in flipped if change == "off"} == {
        *("dropout", "alpha_dropout", "gaussian_noise", "batch_norm", "activation", "skip"),
        *("scale", "l1", "l2", "l1_l2", "max_norm", "drop_connect", "magnitude_pruning"),
        *("threshold", "clip_value", "clip_norm", "global_clip_norm"),
    }
    assert {("dense.bias", "→ True"), ("dense.bias", "→ False")} <= flipped
    assert {("phase.keep_zeros", "→ False"), ("exponential.per", "→ epoch")} <= flipped


def test_a_mutation_is_one_change_of_the_recipe_it_names():
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS)
    for mutation in MUTATIONS:
        plain = RECIPES[mutation.recipe]
        assert Recipe.model_validate(mutation.mutated.model_dump()) == mutation.mutated
        assert mutation.mutated.fingerprint() != plain.fingerprint()
        ours = [phase.model_dump() for phase in mutation.mutated.phases]
        theirs = [phase.model_dump() for phase in plain.phases]
        changed = [{k for k in a if a[k] != b[k]} for a, b in zip(ours, theirs, strict=True)]
        assert sum(len(keys) for keys in changed) == 1, mutation.name


def test_the_parity_recipes_have_every_technique_there_is():
    followed = frozenset().union(*(used(recipe) for recipe in RECIPES.values()))
    assert followed == {(cls.kind, technique_name(cls)) for cls in techniques()}


@pytest.mark.parametrize("name", ["tanh_lecun_adam", "selu_dropout_sgd", "pruned"])
def test_a_mutated_recipe_is_caught(name):
    plain = followed(RECIPES[name])
    assert compare(followed(RECIPES[name]), plain).error == 0
    changed = list(all_mutations(name, RECIPES[name]))
    assert changed
    for mutation in changed:
        assert not compare(followed(mutation.mutated), plain).same, mutation.name


# ---------------------------------------------------------------- deviations


def test_the_table_of_deviations_is_empty_and_a_row_needs_every_key():
    assert deviations() == ()
    with pytest.raises(ValidationError, match="tried"):
        Deviation(technique="elu", backend="jax", check="step", size=1e-6, reason="why")


# ---------------------------------------------------------------- trajectories


def test_single_steps_are_the_steps_of_the_epochs():
    phase = RECIPES["elu_he_momentum"].phases[0]
    timetable, cohort = begun(phase)
    steps = list(single_steps(timetable, 9, cohort))
    assert timetable.steps == 7
    assert [plan.step for plan in steps] == list(range(9))
    assert [plan.order.shape[1] for plan in steps] == [32] * 6 + [8] + [32, 32]
    whole = timetable.plan(0, np.empty((0, 2)))
    assert (np.concatenate([plan.order for plan in steps[:7]], axis=1) == whole.order).all()


def test_following_steps_is_training_epochs():
    recipe = RECIPES["selu_dropout_sgd"]
    (phase,) = recipe.phases
    timetable, cohort = begun(phase)
    loss = [cohort.train(timetable.plan(epoch, np.empty((0, 2)))).loss for epoch in range(2)]
    found = followed(recipe, steps=14)
    np.testing.assert_array_equal(found["train/loss"], np.concatenate(loss, axis=1))
    for name, values in cohort.weights().items():
        np.testing.assert_array_equal(found[f"train/weights/{name}"], values)


def test_a_schedule_that_watches_the_validation_loss_sees_it_after_every_epoch():
    (phase,) = RECIPES["selu_performance"].phases
    phase = phase.model_copy(update={"rate": 1e-9})  # so small that nothing improves
    timetable, cohort = begun(phase)
    rates = np.array([plan.rate[:, 0] for plan in single_steps(timetable, 24, cohort)])
    # Patience 1: the first epoch is the best, and each later one costs a factor of .3.
    expected = 1e-9 * 0.3 ** np.repeat([0, 0, 1, 2], 6)
    assert rates == pytest.approx(np.tile(expected[:, None], 2))


def test_training_and_prediction_are_distinguished_if_a_layer_does():
    plain, dropping = (followed(RECIPES[name]) for name in ("elu_he_momentum", "selu_dropout_sgd"))
    assert not [name for name in plain if "/training/" in name]
    here = {name.replace("/training/", "/prediction/") for name in dropping if "/training/" in name}
    assert here == {name for name in dropping if "/prediction/" in name} != set()


def begun(phase):
    data = task_splits(phase.task, "float64")
    cohort = NumpyBackend(Settings(precision="float64")).cohort(phase.network, data, 2)
    cohort.begin(phase, first_weights(phase, State.start(2), LANES, 64))
    return Timetable.of(phase, State.start(2), LANES, data.train), cohort


def test_early_stopping_is_followed_through_the_driver():
    found = followed(RECIPES["tanh_early_stopping"])
    epochs = found["train/loss"].shape[1]
    best = found["train/scores/best_epoch"]
    valid = found["train/scores/valid_loss"]
    assert (best <= epochs).all()
    for lane in range(2):
        seen = valid[lane][valid[lane] > 0]
        assert best[lane] == np.argmin(seen) + 1


def test_a_pruned_phase_hands_on_its_zeros_and_keeps_them():
    found = followed(RECIPES["pruned"], steps=8)
    first, last = (found[f"{phase}/weights/hidden1/kernel"] for phase in ("dense", "pruned"))
    assert (first == 0).reshape(2, -1).mean(axis=1).tolist() == [0.5, 0.5]
    assert (last[first == 0] == 0).all()
    assert np.abs(last[last != 0]).min() >= 0.2  # the second phase's own threshold
