"""The report of a check: worst first, the same in every format, and its exit status."""

import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from manyseeds.check.finding_text import versions
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.report import CheckReport
from manyseeds.check.rows import Row

FINE = Finding(Row("numerics", "jax", "adam"), "unchanged", size=1e-14, unit="relative error")
MOVED = Finding(Row("numerics", "tensorflow", "nadam"), "changed",
    size=3e-3, unit="relative error", message="first difference at step 2 | the update",
    reason="undone by nadam.epsilon × 10",
    then={"keras": "3.14.0", "numpy": "2.4.6"}, now={"keras": "3.15.1", "numpy": "2.4.6"},
    fails=True,
)  # fmt: skip
SLOWER = Finding(
    Row("time", "jax", "adam step"), "changed", "worse", 1.31, 1.22, 1.4, "ratio", fails=True
)
UNSURE = Finding(Row("accuracy", "jax", "gate/adam"), "cannot tell", message="needs 120 seeds")
ELSEWHERE = Finding(Row("time", "jax", "sgd step"), "not comparable", message="another machine")


def report(*findings, **how):
    layers = {}
    for finding in findings:
        layers.setdefault(finding.layer, []).append(finding)
    results = [LayerResult(name, tuple(f), len(f), 1.5) for name, f in layers.items()]
    return CheckReport(tuple(results), **how)


def test_nothing_changed_passes_and_shows_no_row():
    found = report(FINE, UNSURE, ELSEWHERE)
    assert found.exit_status == 0
    assert [row[2] for row in found.outcome().rows] == [
        "time/jax/sgd step",
        "accuracy/jax/gate/adam",
    ]
    assert len(found.outcome(everything=True).rows) == 3


def test_the_worst_comes_first():
    found = report(FINE, ELSEWHERE, SLOWER, UNSURE, MOVED)
    assert [finding.state for finding in found.findings] == [
        *("changed", "changed", "not comparable", "cannot tell", "unchanged")
    ]
    assert found.findings[0] == SLOWER  # 1.31 is the larger number
    assert found.exit_status == 1


@pytest.mark.parametrize("finding", [MOVED, SLOWER, replace(FINE, state="missing", fails=True)])
def test_a_change_fails_unless_it_is_acknowledged(finding):
    assert report(FINE, finding).exit_status == 1
    known = replace(finding, acknowledged="mended upstream (until 2027-01-01)")
    assert report(FINE, known).exit_status == 0
    assert "mended upstream" in report(FINE, known).outcome().rows[0][-1]


def test_cannot_tell_fails_only_if_strict():
    assert report(UNSURE).exit_status == 0
    assert report(UNSURE, strict=True).exit_status == 1


def test_a_check_that_compared_nothing_or_was_stopped_fails():
    assert report().exit_status == 1
    assert report(FINE, stopped="interrupted in accuracy").exit_status == 1
    assert "interrupted in accuracy" in report(FINE, stopped="interrupted in accuracy").notes()


def test_a_row_names_versions_size_interval_and_reason():
    (row,) = report(MOVED).outcome().rows
    assert row[1:4] == ("changed", "numerics/tensorflow/nadam", "3.0e-03")
    assert row[5] == "keras 3.14.0 → 3.15.1"
    assert "first difference at step 2" in row[6]
    assert "likely: undone by nadam.epsilon × 10" in row[6]
    (row,) = report(SLOWER).outcome().rows
    assert row[1:5] == ("changed (worse)", "time/jax/adam step", "×1.310", "×1.220 … ×1.400")


def test_versions_name_what_is_new_and_what_is_gone():
    assert versions({"a": "1"}, {"b": "2"}) == "a 1 → none, b none → 2"
    assert versions({"a": "1"}, {}) == ""


def test_rows_missing_for_one_reason_are_one_row_in_the_table_and_listed_in_full_elsewhere():
    """A backend that cannot be started fails every recipe; nobody reads thirty equal rows."""
    broken = [
        Finding(
            Row("numerics", "jax", name), "missing", message="No module named 'toolz'", fails=True
        )
        for name in ("adam", "sgd", "nadam")
    ]
    other = replace(
        broken[0], row=Row("numerics", "jax", "ftrl"), message="the baseline has no entry"
    )
    found = report(*broken, other, MOVED)
    names = [row[2] for row in found.outcome().rows]
    assert sorted(names) == ["numerics/jax/ftrl", "numerics/jax: 3 rows", str(MOVED.row)]
    assert found.markdown().count("toolz") == 1
    assert len(found.outcome(everything=True).rows) == 5
    assert len(found.as_json()["findings"]) == 5
    assert found.junit().count("toolz") == 3


def test_json_is_json_and_has_everything():
    found = report(FINE, replace(MOVED, size=math.inf), SLOWER)
    document = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert document["exit_status"] == 1
    assert {row["row"]: row["size"] for row in document["findings"]} == {
        "numerics/jax/adam": 1e-14,
        "numerics/tensorflow/nadam": None,
        "time/jax/adam step": 1.31,
    }
    assert document["layers"][0]["states"] == {"unchanged": 1, "changed": 1}


def test_junit_counts_failures_and_undecided_rows():
    hostile = replace(
        MOVED, row=Row("numerics", "tensorflow", 'a"<b>\x00&'), message="\x1b[31m<red>"
    )
    root = ElementTree.fromstring(report(FINE, hostile, UNSURE, SLOWER).junit())
    counts = {s.get("name"): (s.get("tests"), s.get("failures"), s.get("skipped")) for s in root}
    assert counts == {
        "numerics": ("2", "1", "0"), "accuracy": ("1", "0", "1"), "time": ("1", "1", "0")
    }  # fmt: skip
    assert len(root.findall(".//failure")) == 2
    assert len(root.findall(".//testcase")) == 4


def test_markdown_escapes_messages():
    text = report(replace(MOVED, message="a | b\n<script>")).markdown()
    (line,) = [line for line in text.splitlines() if "nadam" in line]
    assert "<script>" not in text
    assert line.count(" | ") == 6
