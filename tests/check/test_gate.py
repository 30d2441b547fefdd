"""Checks and acceptances with made-up layers: what is measured, compared, accepted and dropped."""

import json
from datetime import date

import numpy as np
import pytest

from manyseeds.check.acceptance import accept
from manyseeds.check.acknowledgements import Acknowledgement
from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.checking import PassRules, check
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.layer_measurement import LayerMeasurement
from manyseeds.check.rows import LAYERS, Row, RowPattern
from manyseeds.check.scope import CheckRequest, GateScope, scope_of
from manyseeds.errors import RequestError, RunError

SCOPE = GateScope(("jax", "pytorch"))


def entry(layer, backend, subject="adam", value=1.0):
    return BaselineEntry(
        Row(layer, backend, subject), {"versions": {backend: "1"}}, {"x": np.array([value])}
    )


def layer(name, values=None, subjects=("adam", "sgd")):
    """Return a layer that measures the same number for everything, or what `values` says."""
    values = values or {}

    def compare(entries, baseline):
        findings = []
        for now in entries:
            then = baseline.entry(now.row)
            state = "missing" if then is None else "unchanged"
            if then is not None and then.arrays["x"][0] != now.arrays["x"][0]:
                state = "changed"
            fails = state != "unchanged"
            findings.append(Finding(now.row, state, fails=fails))
        return LayerResult(name, tuple(findings), len(findings), 0.1)

    def measure(scope):
        entries = tuple(
            entry(name, backend, subject, values.get((backend, subject), 1.0))
            for backend in scope.backends
            for subject in subjects
        )
        return LayerMeasurement(entries, lambda baseline, _: compare(entries, baseline))

    return measure


def names(rows):
    return [str(row) for row in rows]


def patterns(*texts):
    return [RowPattern(text) for text in texts]


def layers(**special):
    return {name: special.get(name, layer(name)) for name in LAYERS}


@pytest.fixture
def baseline(tmp_path):
    found = Baseline(tmp_path)
    accept(SCOPE, found, layers(), "the first")
    return found


def test_nothing_changed_passes(baseline):
    report = check(SCOPE, baseline, layers())
    assert report.exit_status == 0
    assert {finding.state for finding in report.findings} == {"unchanged"}
    assert len(report.findings) == 3 * 2 * 2


def test_a_change_in_one_place_fails_and_is_the_only_row(baseline):
    moved = layer("accuracy", {("jax", "sgd"): 2.0})
    report = check(SCOPE, baseline, layers(accuracy=moved))
    assert report.exit_status == 1
    assert [row[2] for row in report.outcome().rows] == ["accuracy/jax/sgd"]


def test_a_layer_is_given_the_results_of_the_layers_before_it(baseline):
    seen = []

    def measure(scope):
        measured = layer("accuracy")(scope)

        def compare(known, before):
            seen.extend(one.layer for one in before)
            return measured.compare(known, before)

        return LayerMeasurement(measured.entries, compare)

    check(SCOPE, baseline, layers(accuracy=measure))
    assert seen == ["numerics"]


def test_without_a_baseline_the_error_says_how_to_make_one(tmp_path):
    with pytest.raises(RunError, match=r"no baseline in .*manyseeds baseline --accept"):
        check(SCOPE, Baseline(tmp_path / "none"), layers())


def test_a_row_without_a_baseline_fails(baseline):
    more = layer("numerics", subjects=("adam", "sgd", "nadam"))
    report = check(SCOPE, baseline, layers(numerics=more))
    assert report.exit_status == 1
    assert {str(f.row) for f in report.findings if f.state == "missing"} == {
        *("numerics/jax/nadam", "numerics/pytorch/nadam")
    }


def test_an_interrupted_layer_keeps_what_was_compared_before_it(baseline):
    def stopped(scope):
        raise KeyboardInterrupt

    report = check(SCOPE, baseline, layers(accuracy=stopped))
    assert report.exit_status == 1
    assert {finding.layer for finding in report.findings} == {"numerics"}
    assert "interrupted in accuracy" in report.stopped


def test_a_layer_that_breaks_does_not_keep_the_others_from_being_compared(baseline):
    def broken(scope):
        raise RunError("disk full")

    report = check(SCOPE, baseline, layers(numerics=broken))
    assert report.exit_status == 1
    assert {finding.layer for finding in report.findings} == {"accuracy", "time"}
    assert "disk full" in report.stopped


def test_a_damaged_baseline_is_reported_with_its_file(baseline, tmp_path):
    (path, *_) = sorted((tmp_path / "numerics").rglob("*.zip"))
    path.write_bytes(b"garbage")
    report = check(SCOPE, Baseline(tmp_path), layers())
    assert report.exit_status == 1
    assert path.name in report.stopped


def test_an_acknowledged_change_passes_until_it_expires_and_is_reported_when_unused(baseline):
    known = [Acknowledgement(row="time/jax/*", reason="slower BLAS", expires=date(2027, 1, 1))]

    def rules(today):
        return PassRules(known, today=today)

    slow = layers(time=layer("time", {("jax", "sgd"): 2.0}))
    assert check(SCOPE, baseline, slow, rules(date(2026, 12, 1))).exit_status == 0
    assert check(SCOPE, baseline, slow, rules(date(2027, 1, 2))).exit_status == 1
    idle = check(SCOPE, baseline, layers(), rules(date(2026, 12, 1)))
    assert any("no longer needed: time/jax/*" in note for note in idle.notes())


def test_an_acknowledgement_of_no_row_is_said_with_the_nearest_name(baseline):
    known = [Acknowledgement(row="time/jax/adm", reason="typed badly", expires=date(2027, 1, 1))]
    rules = PassRules(known, today=date(2026, 12, 1))
    said = check(SCOPE, baseline, layers(), rules).notes()
    assert "no row is called 'time/jax/adm'; did you mean 'time/jax/adam'?" in " ".join(said)
    assert "no longer needed" not in " ".join(said)


def test_acceptance_of_some_rows_leaves_the_others(baseline, tmp_path):
    moved = layers(accuracy=layer("accuracy", {("jax", "sgd"): 2.0, ("jax", "adam"): 3.0}))
    found = accept(SCOPE, baseline, moved, "SGD was mended", patterns("accuracy/jax/sgd"))
    assert (names(found.rows), found.dropped) == (["accuracy/jax/sgd"], ())
    report = check(SCOPE, Baseline(tmp_path), moved)
    assert [str(f.row) for f in report.findings if f.fails] == ["accuracy/jax/adam"]
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["because"] == "SGD was mended"


def test_acceptance_drops_rows_that_no_longer_exist_and_logs_it(baseline, tmp_path):
    fewer = layers(numerics=layer("numerics", subjects=("adam",)))
    found = accept(SCOPE, baseline, fewer, "sgd was removed")
    assert {"numerics/jax/sgd", "numerics/pytorch/sgd"} == set(names(found.dropped))
    assert check(SCOPE, Baseline(tmp_path), fewer).exit_status == 0
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert {"row": "numerics/jax/sgd", "to": None} in last["changes"]
    assert not list(tmp_path.glob("numerics/jax/sgd.*"))


def test_a_row_that_could_not_be_measured_is_not_accepted_and_its_old_entry_stays(
    baseline, tmp_path
):
    row = Row("time", "jax", "adam")
    before = baseline.entry(row)
    found = accept(SCOPE, baseline, layers(time=failing("time", "jax")), "a new machine")
    assert found.failed == {row: "out of memory", Row("time", "jax", "sgd"): "out of memory"}
    assert names(found.rows)[-2:] == ["time/pytorch/adam", "time/pytorch/sgd"]
    assert len(found.rows) == 10
    assert found.dropped == ()
    assert Baseline(tmp_path).entry(row) == before


def failing(name, *backends):
    """Return a layer that can measure nothing on some backends."""

    def measure(scope):
        entries = layer(name)(scope).entries
        return LayerMeasurement(
            tuple(entry for entry in entries if entry.backend not in backends),
            lambda baseline, _: None,
            {entry.row: "out of memory" for entry in entries if entry.backend in backends},
        )

    return measure


def test_an_acceptance_that_could_measure_nothing_leaves_the_baseline_and_its_log_alone(
    baseline, tmp_path
):
    def content():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = content()
    broken = {name: failing(name, *SCOPE.backends) for name in LAYERS}
    found = accept(SCOPE, baseline, broken, "an upgrade")
    assert (found.rows, found.dropped) == ((), ())
    assert len(found.failed) == 12
    assert content() == before


def test_a_pattern_may_name_a_row_that_could_not_be_measured_or_a_quantity_of_it(baseline):
    broken = layers(time=failing("time", "jax"))
    for pattern in ("time/jax/adam", "time/jax/adam/x"):
        found = accept(SCOPE, baseline, broken, "an upgrade", patterns(pattern))
        assert found.failed == {Row("time", "jax", "adam"): "out of memory"}
        assert found.rows == ()


def test_an_acceptance_names_the_versions_of_what_it_accepted(tmp_path):
    found = accept(SCOPE, Baseline(tmp_path), layers(time=failing("time", "jax")), "the first")
    assert found.versions == {"jax": {"jax": ("1",)}, "pytorch": {"pytorch": ("1",)}}


def test_a_pattern_may_name_a_finding(baseline):
    found = accept(SCOPE, baseline, layers(), "x was mended", patterns("accuracy/jax/*/x"))
    assert names(found.rows) == ["accuracy/jax/adam", "accuracy/jax/sgd"]
    found = accept(SCOPE, baseline, layers(), "it diverges", patterns("accuracy/jax/sgd/diverged"))
    assert names(found.rows) == ["accuracy/jax/sgd"]
    wrong = patterns("accuracy/jax/adam", "accuracy/jax/sgd/y")
    with pytest.raises(RequestError, match="accuracy/jax/sgd/y"):
        accept(SCOPE, baseline, layers(), "why not", wrong)


def test_acceptance_needs_a_reason_and_rows_that_exist(baseline):
    with pytest.raises(RequestError, match="--because"):
        accept(SCOPE, baseline, layers(), "")
    with pytest.raises(RequestError, match="numerics/jax/adam"):
        accept(SCOPE, baseline, layers(), "why not", patterns("numerics/jax/adm"))


@pytest.mark.parametrize(
    ("backends", "layers_", "said"),
    [(["jx"], [], "Did you mean 'jax'"), ([], ["numeric"], "Did you mean 'numerics'")],
)
def test_unknown_names_are_reported_with_the_nearest(baseline, tmp_path, backends, layers_, said):
    with pytest.raises(RequestError, match=said):
        scope_of(CheckRequest(tmp_path, backends, layers_), baseline)


def test_a_backend_of_the_baseline_is_not_left_out_silently_if_it_is_not_installed(tmp_path):
    found = Baseline(tmp_path)
    found.accept([entry("numerics", "torch7")], "long ago")
    with pytest.raises(RequestError, match="torch7, which cannot be used here"):
        scope_of(CheckRequest(tmp_path), found)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["accuracy/jax/sgd"], {("accuracy", "jax")}),
        (["time/*"], {("time", "jax"), ("time", "pytorch")}),
        (["accuracy/py*/sgd", "time/jax/*"], {("accuracy", "pytorch"), ("time", "jax")}),
        (["*/sgd"], {(layer, backend) for layer in LAYERS for backend in SCOPE.backends}),
    ],
)
def test_only_rows_that_a_pattern_may_match_are_measured_anew(baseline, texts, expected):
    """Timing everything takes minutes, too long to accept one recipe that was mended."""
    measured = set()

    def noted(name):
        def measure(scope):
            measured.update((name, backend) for backend in scope.backends)
            return layer(name)(scope)

        return measure

    accept(SCOPE, baseline, {name: noted(name) for name in LAYERS}, "mended", patterns(*texts))
    assert measured == expected
