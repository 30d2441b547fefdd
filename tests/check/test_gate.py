"""The gate as a whole, with layers made up: what is asked, kept, accepted and left out."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from manyseeds.check.acknowledged import Acknowledged
from manyseeds.check.findings import LAYERS, Finding, LayerResult
from manyseeds.check.gate import Asked, Measured, accept, asked, check
from manyseeds.check.store import Baseline, Entry
from manyseeds.errors import RequestError, RunError

QUESTION = Asked(("jax", "pytorch"))


def entry(layer, backend, subject="adam", value=1.0):
    return Entry(layer, backend, subject, {"versions": {backend: "1"}}, {"x": np.array([value])})


def layer(name, values=None, subjects=("adam", "sgd")):
    """Return a layer that measures the same number for everything, or what `values` says."""
    values = values or {}

    def compare(entries, baseline):
        findings = []
        for now in entries:
            then = baseline.entry(now.layer, now.backend, now.subject)
            state = "missing" if then is None else "unchanged"
            if then is not None and then.arrays["x"][0] != now.arrays["x"][0]:
                state = "changed"
            fails = state != "unchanged"
            findings.append(Finding(name, now.backend, now.subject, state, fails=fails))
        return LayerResult(name, tuple(findings), len(findings), 0.1)

    def measure(question):
        entries = tuple(
            entry(name, backend, subject, values.get((backend, subject), 1.0))
            for backend in question.backends
            for subject in subjects
        )
        return Measured(entries, lambda baseline, _: compare(entries, baseline))

    return measure


def layers(**special):
    return {name: special.get(name, layer(name)) for name in LAYERS}


@pytest.fixture
def baseline(tmp_path):
    found = Baseline(tmp_path)
    accept(QUESTION, found, layers(), "the first")
    return found


def test_nothing_changed_passes(baseline):
    report = check(QUESTION, baseline, layers())
    assert report.exit_status == 0
    assert {finding.state for finding in report.findings} == {"unchanged"}
    assert len(report.findings) == 3 * 2 * 2


def test_a_change_in_one_place_fails_and_is_the_only_row(baseline):
    moved = layer("accuracy", {("jax", "sgd"): 2.0})
    report = check(QUESTION, baseline, layers(accuracy=moved))
    assert report.exit_status == 1
    assert [row[2] for row in report.outcome().rows] == ["accuracy/jax/sgd"]


def test_a_layer_is_told_what_the_layers_before_it_found(baseline):
    seen = []

    def measure(question):
        measured = layer("accuracy")(question)

        def compare(known, before):
            seen.extend(one.layer for one in before)
            return measured.compare(known, before)

        return Measured(measured.entries, compare)

    check(QUESTION, baseline, layers(accuracy=measure))
    assert seen == ["numerics"]


def test_no_baseline_is_said_with_what_makes_one(tmp_path):
    with pytest.raises(RunError, match=r"no baseline in .*manyseeds baseline --accept"):
        check(QUESTION, Baseline(tmp_path / "none"), layers())


def test_what_the_baseline_lacks_fails(baseline):
    more = layer("numerics", subjects=("adam", "sgd", "nadam"))
    report = check(QUESTION, baseline, layers(numerics=more))
    assert report.exit_status == 1
    assert {f.row for f in report.findings if f.state == "missing"} == {
        *("numerics/jax/nadam", "numerics/pytorch/nadam")
    }


def test_an_interrupted_layer_keeps_what_was_compared_before_it(baseline):
    def stopped(question):
        raise KeyboardInterrupt

    report = check(QUESTION, baseline, layers(accuracy=stopped))
    assert report.exit_status == 1
    assert {finding.layer for finding in report.findings} == {"numerics"}
    assert "interrupted in accuracy" in report.stopped


def test_a_layer_that_breaks_does_not_keep_the_others_from_being_compared(baseline):
    def broken(question):
        raise RunError("disk full")

    report = check(QUESTION, baseline, layers(numerics=broken))
    assert report.exit_status == 1
    assert {finding.layer for finding in report.findings} == {"accuracy", "time"}
    assert "disk full" in report.stopped


def test_a_damaged_baseline_is_told_with_its_file(baseline, tmp_path):
    (path, *_) = sorted((tmp_path / "numerics").rglob("*.npz"))
    path.write_bytes(b"garbage")
    report = check(QUESTION, Baseline(tmp_path), layers())
    assert report.exit_status == 1
    assert path.name in report.stopped


def test_an_acknowledged_change_passes_until_it_expires_and_is_told_when_it_is_idle(baseline):
    known = [Acknowledged(row="time/jax/*", reason="slower BLAS", expires=date(2027, 1, 1))]
    slow = layers(time=layer("time", {("jax", "sgd"): 2.0}))
    assert check(QUESTION, baseline, slow, known, today=date(2026, 12, 1)).exit_status == 0
    assert check(QUESTION, baseline, slow, known, today=date(2027, 1, 2)).exit_status == 1
    idle = check(QUESTION, baseline, layers(), known, today=date(2026, 12, 1))
    assert any("no longer needed: time/jax/*" in note for note in idle.notes())


def test_acceptance_of_some_rows_leaves_the_others(baseline, tmp_path):
    moved = layers(accuracy=layer("accuracy", {("jax", "sgd"): 2.0, ("jax", "adam"): 3.0}))
    found = accept(QUESTION, baseline, moved, "SGD was mended", ["accuracy/jax/sgd"])
    assert (found.rows, found.gone) == (("accuracy/jax/sgd",), ())
    report = check(QUESTION, Baseline(tmp_path), moved)
    assert [f.row for f in report.findings if f.fails] == ["accuracy/jax/adam"]
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["because"] == "SGD was mended"


def test_acceptance_drops_what_is_no_more_and_logs_it(baseline, tmp_path):
    fewer = layers(numerics=layer("numerics", subjects=("adam",)))
    found = accept(QUESTION, baseline, fewer, "sgd was removed")
    assert {"numerics/jax/sgd", "numerics/pytorch/sgd"} == set(found.gone)
    assert check(QUESTION, Baseline(tmp_path), fewer).exit_status == 0
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert {"row": "numerics/jax/sgd", "to": None} in last["changes"]
    assert not list(tmp_path.glob("numerics/jax/sgd.*"))


def test_what_could_not_be_measured_is_not_accepted_and_the_old_stays(baseline, tmp_path):
    def measure(question):
        one, *others = layer("time")(question).entries
        failed = replace(one, context=one.context | {"failed": "out of memory"}, arrays={})
        return Measured((failed, *others), lambda baseline, _: None)

    before = baseline.entry("time", "jax", "adam")
    found = accept(QUESTION, baseline, layers(time=measure), "a new machine")
    assert found.failed == {"time/jax/adam": "out of memory"}
    assert "time/jax/adam" not in found.rows + found.gone
    assert Baseline(tmp_path).entry("time", "jax", "adam") == before


def test_a_pattern_may_name_what_a_finding_is_about(baseline):
    found = accept(QUESTION, baseline, layers(), "x was mended", ["accuracy/jax/*/x"])
    assert found.rows == ("accuracy/jax/adam", "accuracy/jax/sgd")
    found = accept(QUESTION, baseline, layers(), "it diverges", ["accuracy/jax/sgd/diverged"])
    assert found.rows == ("accuracy/jax/sgd",)
    with pytest.raises(RequestError, match="accuracy/jax/sgd/y"):
        accept(QUESTION, baseline, layers(), "why not", ["accuracy/jax/adam", "accuracy/jax/sgd/y"])


def test_acceptance_needs_a_reason_and_rows_that_exist(baseline):
    with pytest.raises(RequestError, match="--because"):
        accept(QUESTION, baseline, layers(), "")
    with pytest.raises(RequestError, match="numerics/jax/adam"):
        accept(QUESTION, baseline, layers(), "why not", ["numerics/jax/adm"])


@pytest.mark.parametrize(
    ("backends", "layers_", "said"),
    [(["jx"], [], "Did you mean 'jax'"), ([], ["numeric"], "Did you mean 'numerics'")],
)
def test_unknown_names_are_told_with_the_nearest(baseline, tmp_path, backends, layers_, said):
    with pytest.raises(RequestError, match=said):
        asked(baseline, backends, layers_, [], tmp_path)


def test_a_backend_of_the_baseline_that_is_not_installed_is_not_left_out_silently(tmp_path):
    found = Baseline(tmp_path)
    found.accept([entry("numerics", "torch7")], "long ago")
    with pytest.raises(RequestError, match="torch7, which cannot be used here"):
        asked(found, [], [], [], tmp_path)


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (["accuracy/jax/sgd"], {("accuracy", "jax")}),
        (["time/*"], {("time", "jax"), ("time", "pytorch")}),
        (["accuracy/py*/sgd", "time/jax/*"], {("accuracy", "pytorch"), ("time", "jax")}),
        (["*/sgd"], {(layer, backend) for layer in LAYERS for backend in QUESTION.backends}),
    ],
)
def test_only_what_a_pattern_may_mean_is_measured_anew(baseline, patterns, wanted):
    """Timing everything takes minutes, and whoever mends one recipe waits for them."""
    measured = set()

    def noted(name):
        def measure(question):
            measured.update((name, backend) for backend in question.backends)
            return layer(name)(question)

        return measure

    accept(QUESTION, baseline, {name: noted(name) for name in LAYERS}, "mended", patterns)
    assert measured == wanted
