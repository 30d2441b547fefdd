"""The numerics layer: the same is unchanged, and a change is located at its first difference."""

from dataclasses import replace

import numpy as np
import pytest

from manyseeds.check.baseline import Baseline
from manyseeds.check.numerics import backend_agreement, comparison
from manyseeds.check.numerics.backend_agreement import CHANGED_ALIKE
from manyseeds.check.numerics.comparison import compare
from manyseeds.check.numerics.measurement import measure
from manyseeds.check.rows import Row
from manyseeds.conformance.deviations import Deviation
from manyseeds.errors import RequestError


def states(result):
    return {str(finding.row): finding.state for finding in result.findings}


def row(result, subject="elu_nadam", backend="numpy"):
    (found,) = [f for f in result.findings if (f.subject, f.backend) == (subject, backend)]
    return found


def times(factor, *where):
    def change(values):
        values[where or ...] *= factor
        return values

    return change


def from_step(step, factor):
    """Change everything from a step on, from 1."""
    return times(factor, slice(None), slice(step - 1, None))


def test_the_same_version_is_unchanged(measured, baseline):
    result = compare(measured, baseline)
    assert set(states(result).values()) == {"unchanged"}
    assert result.comparisons == len(result.findings) == len(measured.recipes)
    assert not any(finding.fails for finding in result.findings)
    assert all(finding.size == 0 for finding in result.findings)
    assert row(result).then == row(result).now == dict(measured.entries[0].versions)


def test_followed_again_in_another_process_it_is_the_same(baseline):
    again = measure(["numpy"], ["selu_dropout_sgd"])
    assert states(compare(again, baseline)) == {"numerics/numpy/selu_dropout_sgd": "unchanged"}


def test_rounding_is_no_change_and_ten_times_the_tolerance_is(altered, baseline):
    assert row(compare(altered(**{"train/loss": times(1 + 1e-12)}), baseline)).state == "unchanged"
    found = row(compare(altered(**{"train/loss": times(1 + 1e-8)}), baseline))
    assert (found.state, found.direction, found.fails) == ("changed", "", True)
    assert found.size == pytest.approx(1e-8, rel=1e-3)
    assert found.unit == "relative error"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"train/loss": from_step(1, 1.01)}, "step 1: data and weights are equal, the loss is not"),
        ({"train/gradient": from_step(1, 1.01)}, "step 1: losses are equal, gradients are not"),
        (
            {"train/moved": from_step(1, 1.01)},
            "step 1: gradients are equal, weights are not: the update",
        ),
        (
            {"train/moved": from_step(9, 1.01), "train/loss": from_step(10, 1.01)},
            "step 9: gradients are equal, weights are not: the update",
        ),
        (
            {"train/asked/first": times(1.01)} | {"train/loss": times(1.1)},
            "the harness changed the first weights",
        ),
        (
            {
                "train/asked/order": lambda order: order + (np.arange(16) > 6),
                "train/loss": from_step(8, 1.1),
            },
            "step 8: the harness changed the batch order",
        ),
        (
            {"train/asked/rate": from_step(12, 0.5), "train/moved": from_step(12, 1.001)},
            "step 12: the harness changed the rate",
        ),
    ],
)
def test_the_first_difference_of_two_trajectories_is_located(altered, baseline, changes, text):
    found = row(compare(altered(**changes), baseline))
    assert found.state == "changed"
    assert text in found.message


def single(measured, kind, subject="elu_nadam"):
    (entry,) = [entry for entry in measured.entries if entry.subject == subject]
    return np.array([f"/{kind}/" in name for name in entry.arrays["names"]])


@pytest.mark.parametrize(
    ("kind", "text"),
    [("scores", "the prediction"), ("weights", "pruning, or the choice of the best epoch")],
)
def test_a_difference_only_after_training_is_located(altered, measured, baseline, kind, text):
    changed = altered(tensors=times(1.01, single(measured, kind)))
    found = row(compare(changed, baseline))
    assert found.state == "changed"
    assert text in found.message


def test_a_phase_that_stops_at_another_epoch_is_reported(measured, altered, baseline):
    (entry,) = [e for e in measured.entries if e.subject == "tanh_early_stopping"]
    epochs = entry.arrays["train/loss"].shape[1]

    def shorter(values):
        """Leave the last epoch away: of the rates, its steps."""
        by_lane = values.ndim > 1
        kept = values.shape[by_lane] * (epochs - 1) // epochs
        return values[:, :kept] if by_lane else values[:kept]

    names = ("loss", "moved", "asked/rate", "asked/order", "asked/counter")
    cut = {f"train/{name}": shorter for name in names}
    found = row(compare(altered("tanh_early_stopping", **cut), baseline), "tanh_early_stopping")
    assert (found.state, found.size) == ("changed", np.inf)
    assert f"equal until step {epochs - 1}" in found.message


def test_moving_averages_are_distinguished_from_weights(altered, baseline):
    changed = altered("batch_norm_after_nesterov", **{"train/averages": from_step(1, 1.01)})
    text = row(compare(changed, baseline), "batch_norm_after_nesterov").message
    assert "step 1: gradients are equal, moving averages are not" in text


def test_a_recipe_without_an_entry_is_missing(measured, tmp_path):
    found = row(compare(measured, Baseline(tmp_path)))
    assert (found.state, found.fails) == ("missing", True)


def test_a_recipe_that_the_kit_no_longer_has_is_missing_if_no_recipes_were_named(
    measured, baseline, monkeypatch
):
    left = {n: r for n, r in measured.recipes.items() if n != "elu_nadam"}
    entries = tuple(e for e in measured.entries if e.subject != "elu_nadam")
    fewer = replace(measured, recipes=left, entries=entries)
    gone = "numerics/numpy/elu_nadam"
    assert gone not in states(compare(fewer, baseline))
    assert gone not in states(compare(replace(fewer, whole=True), baseline))  # only not followed
    monkeypatch.setattr(comparison, "parity_recipes", lambda: left)
    assert gone not in states(compare(fewer, baseline))
    found = row(compare(replace(fewer, whole=True), baseline))
    assert (found.state, found.fails) == ("missing", True)


def test_a_recipe_that_a_backend_can_no_longer_follow_is_missing_and_the_others_go_on(
    baseline, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "raise:train:0")
    broken = measure(["numpy"], ["selu_dropout_sgd", "transfer"])
    found = row(compare(broken, baseline), "selu_dropout_sgd")
    assert (found.state, found.fails) == ("missing", True)
    assert "cannot follow it now" in found.message
    (followed,) = broken.entries
    assert followed.subject == "transfer"
    assert found.now == followed.versions  # of a framework that has lost a function


def test_a_process_that_dies_fails_the_recipe_it_was_following(monkeypatch, tmp_path):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "kill:pretrain:0")
    found = measure(["numpy"], ["selu_glorot_sgd", "transfer", "white_noise_sgd"])
    assert {e.subject for e in found.entries} == {"selu_glorot_sgd", "white_noise_sgd"}
    assert "SIGKILL" in found.failures[Row("numerics", "numpy", "transfer")]


def test_an_unsupported_recipe_is_missing_only_if_the_baseline_has_it(
    baseline, monkeypatch, tmp_path
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "unsupported:elu_nadam")
    refusing = measure(["numpy"], ["elu_nadam"])
    assert states(compare(refusing, baseline)) == {"numerics/numpy/elu_nadam": "missing"}
    result = compare(refusing, Baseline(tmp_path / "none"))
    assert result.findings == ()
    assert any("a test wants it so" in note for note in result.notes)


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({"recipe": "0"}, "a different recipe of this name"),
        ({"steps": 7}, "steps 16 then, 7 now"),
        ({"lanes": 2}, "lanes 3 then, 2 now"),
        ({"format": 0}, "format 1 then, 0 now"),
    ],
)
def test_a_baseline_made_for_another_question_fails(altered, baseline, context, text):
    found = row(compare(altered(context=context), baseline))
    assert (found.state, found.fails) == ("not comparable", True)
    assert text in found.message


def test_a_flag_that_a_compiler_does_not_know_is_noted(altered, baseline):
    changed = altered("tanh_early_stopping", {"flags_left_out": ["--xla_one_thread=true"]})
    notes = compare(changed, baseline).notes
    assert (
        "numpy: its compiler does not know --xla_one_thread=true, which was left out: numbers may "
        "depend on it"
    ) in notes
    assert not any("compiler" in note for note in compare(altered(), baseline).notes)


def test_a_value_that_is_not_a_number_is_a_change(altered, baseline):
    found = row(compare(altered(**{"train/loss": times(np.nan)}), baseline))
    assert (found.state, found.size) == ("changed", np.inf)


def accepted(folder, found):
    made = Baseline(folder / "several")
    made.accept(found.entries, "the first")
    return made


def test_backends_that_disagree_now_are_reported_and_the_odd_one_is_to_blame(
    measured, altered, as_backend, tmp_path
):
    odd = altered(**{"train/moved": from_step(1, 1 + 1e-6)})
    now = as_backend(one=measured, two=measured, three=odd)
    result = compare(now, accepted(tmp_path, now))  # as in the baseline, and yet wrong
    assert [str(f.row) for f in result.findings if f.state == "changed"] == [
        "numerics/three/elu_nadam"
    ]
    text = row(result, backend="three").message
    assert "disagrees with one now" in text
    assert "disagrees with two now" in text


def test_a_known_deviation_is_no_disagreement(measured, altered, as_backend, tmp_path, monkeypatch):
    odd = altered(**{"train/moved": from_step(1, 1 + 1e-6)})
    now = as_backend(one=measured, two=odd)
    known = [
        Deviation(technique="nadam", backend="two", check=check, size=2e-5, reason="r", tried="t")
        for check in ("step", "trajectory")
    ]
    monkeypatch.setattr(backend_agreement, "deviations", lambda: known)
    found = compare(now, accepted(tmp_path, now))
    assert set(states(found).values()) == {"unchanged"}, [f.message for f in found.findings]
    monkeypatch.setattr(backend_agreement, "deviations", lambda: known[:1])
    assert "changed" in states(compare(now, accepted(tmp_path, now))).values()


def test_a_change_of_all_backends_alike_is_one_of_the_harness(
    measured, altered, as_backend, tmp_path
):
    then = as_backend(one=measured, two=measured)
    other = altered(**{"train/loss": from_step(1, 1.01)})
    alike = compare(as_backend(one=other, two=other), accepted(tmp_path, then))
    assert {f.reason for f in alike.findings if f.state == "changed"} == {CHANGED_ALIKE}
    alone = compare(as_backend(one=other, two=measured), accepted(tmp_path, then))
    (found,) = [f for f in alone.findings if f.state == "changed"]
    assert (found.backend, found.reason) == ("one", "")


def test_unknown_names_are_reported():
    with pytest.raises(RequestError, match="unknown parity recipe"):
        measure(["numpy"], ["elu_adan"])
    with pytest.raises(RequestError, match="unknown backend"):
        measure(["nympy"])
