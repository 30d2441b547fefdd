"""Reasons name the variant that undoes a change, and none if nothing does."""

from dataclasses import replace

import numpy as np
import pytest

from manyseeds.check.baseline import Baseline
from manyseeds.check.numerics.comparison import compare
from manyseeds.check.numerics.differences import FirstDifference
from manyseeds.check.numerics.measurement import measure
from manyseeds.check.numerics.reasons import shared_techniques, undoes, with_reasons
from manyseeds.check.numerics.side_by_side import explain
from manyseeds.check.numerics.variants import variants
from manyseeds.check.rows import Row
from manyseeds.conformance.mutations import changed_at
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.errors import RequestError
from manyseeds.suite.recipe import Recipe

RECIPES = parity_recipes()


def of(recipe, place, value):
    return Recipe.model_validate(changed_at(recipe.model_dump(), place, value))


def baseline_of(folder, monkeypatch, subject, place, value):
    """Return a baseline made when a recipe of this name meant something else, unknown to it."""
    with monkeypatch.context() as patched:
        other = {subject: of(RECIPES[subject], place, value)}
        patched.setattr("manyseeds.check.numerics.measurement.parity_recipes", lambda: other)
        then = measure(["numpy"], [subject])
    fingerprint = RECIPES[subject].fingerprint()
    entries = [
        replace(entry, context={**entry.context, "recipe": fingerprint}) for entry in then.entries
    ]
    made = Baseline(folder / "then")
    made.accept(entries, "the first")
    return made


OPTIMIZER = ("phases", 0, "optimizer")


@pytest.mark.parametrize(
    ("subject", "place", "value", "reason"),
    [
        ("elu_nadam", (*OPTIMIZER, "epsilon"), 1e-6, "undone by nadam.epsilon × 10"),
        ("elu_nadam", (*OPTIMIZER, "beta1"), 0.9 / 1.01, "undone by nadam.beta1 × 0.9901"),
        ("elu_nadam", OPTIMIZER, {"name": "nadam_keras3"}, "undone by nadam → nadam_keras3"),
        ("elu_he_momentum", (*OPTIMIZER, "momentum"), 0.891, "undone by momentum.momentum × 0.99"),
        (
            "tanh_early_stopping",
            ("phases", 0, "early_stopping", "patience"),
            2,
            "undone by early_stopping.patience +1",
        ),
        (
            "selu_piecewise",
            ("phases", 0, "schedule", "boundaries"),
            (1, 6),
            "",  # no variant has it, and none is named
        ),
    ],
)
def test_the_variant_that_follows_the_baseline_again_is_named(
    tmp_path, monkeypatch, subject, place, value, reason
):
    baseline = baseline_of(tmp_path, monkeypatch, subject, place, value)
    now = measure(["numpy"], [subject])
    (found,) = with_reasons(compare(now, baseline), now, baseline).findings
    assert found.state == "changed"
    assert found.reason.startswith(reason)
    assert bool(found.reason) == bool(reason)


@pytest.mark.parametrize(
    ("before", "after", "undone"),
    [
        *((1.0, 1e-10, True), (1e-2, 9e-6, True), (1e-2, 2e-5, False)),
        *((np.inf, 1e-10, True), (np.inf, 1e-3, False), (np.inf, np.inf, False)),
        (1.0, np.nan, False),
    ],
)
def test_a_variant_that_is_hardly_nearer_undoes_nothing(before, after, undone):
    assert undoes(before, after) == undone


def test_unchanged_rows_are_given_no_reason(measured, baseline):
    result = compare(measured, baseline)
    assert with_reasons(result, measured, baseline) == result


def test_the_technique_that_all_changed_recipes_share_is_named(measured, altered, baseline):
    rows = compare(altered(**{"train/loss": lambda loss: loss * 2}), baseline).findings
    text = shared_techniques(rows, measured.recipes)
    assert text.startswith("only the recipe with ")
    assert "elu" in text
    assert "constant" not in text  # which stands for no schedule
    # nadam is used by tanh_early_stopping too, which has not changed.
    assert "nadam" not in text.replace("elu_nadam", "")


def test_variants_are_valid_different_and_bounded():
    for recipe in RECIPES.values():
        for kind in ("loss", "gradient", "moved", "rate", "scores"):
            found = list(variants(recipe, FirstDifference(recipe.phases[0].name, 1, kind)))
            assert len(found) <= 66
            assert recipe not in [variant.recipe for variant in found]
            assert len({variant.change for variant in found}) == len(found)


def test_a_row_is_explained_by_both_trajectories_side_by_side(tmp_path, monkeypatch):
    place = (*OPTIMIZER, "epsilon")
    baseline = baseline_of(tmp_path, monkeypatch, "elu_nadam", place, 1e-6)
    found = explain(Row("numerics", "numpy", "elu_nadam"), baseline)
    assert any("undone by nadam.epsilon × 10" in note for note in found.notes)
    assert any(note.startswith("versions: the same") for note in found.notes)
    assert any("step 1: gradients are equal, weights are not" in note for note in found.notes)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    loss = {row["step"]: row for row in rows if row["quantity"] == "loss"}
    assert loss[1]["relative difference"] == 0
    assert loss[16]["relative difference"] > 1e-9
    then, now = loss[16]["then"], loss[16]["now"]
    assert loss[16]["relative difference"] == pytest.approx(abs(now - then) / then)
    assert found.exit_status == 1


def test_an_unknown_row_is_reported_with_the_nearest(baseline):
    with pytest.raises(RequestError, match="elu_nadam"):
        explain(Row("numerics", "numpy", "elu_nadan"), baseline)
