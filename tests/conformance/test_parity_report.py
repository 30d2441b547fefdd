"""The parity kit's report: its exit status, JSON, JUnit XML and Markdown."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from manyseeds.conformance.comparison import CHECKS, TrajectoryComparison
from manyseeds.conformance.deviations import Deviation
from manyseeds.conformance.matrix import BackendPair, cells, pairs
from manyseeds.conformance.mutation_results import MutationResult
from manyseeds.conformance.mutations import Mutation
from manyseeds.conformance.recipes import parity_recipes
from manyseeds.conformance.report import ParityReport
from manyseeds.techniques.registry import techniques

RECIPES = parity_recipes()
ELU = {"elu_he_momentum": RECIPES["elu_he_momentum"]}
BACKENDS = ("one", "two", "three")


def pair(error=0.0, allowed=False, ours="one", theirs="two", check="gradient"):
    comparison = TrajectoryComparison(dict.fromkeys(CHECKS, 0.0) | {check: error})
    return BackendPair("elu_he_momentum", ours, theirs, comparison, allowed)


def mutation(caught=True, error=0.1):
    changed = Mutation("elu_he_momentum", "elu.alpha", "× 1.01", RECIPES["elu_he_momentum"])
    return MutationResult(changed, "one", "two", error, caught)


SAME, CAUGHT = (pair(),), (mutation(),)


def report(compared=SAME, mutations=CAUGHT, recipes=ELU, whole=False):
    backends = ("one", "two")
    matrix = tuple(cells(compared, recipes, backends, {}, ()))
    return ParityReport(backends, 60, matrix, tuple(compared), mutations, whole)


def state(found, technique, backend="one", kind=None):
    (cell,) = [
        cell
        for cell in found
        if (cell.technique, cell.backend) == (technique, backend) and kind in (None, cell.kind)
    ]
    return cell


def test_all_well_ends_with_0():
    assert report().exit_status == 0
    every = [replace(pair(), recipe=name) for name in RECIPES]
    assert report(every, recipes=RECIPES, whole=True).exit_status == 0


@pytest.mark.parametrize(
    "bad",
    [
        report([pair(1e-8)]),
        report([pair(np.inf)]),
        report(mutations=(mutation(), mutation(caught=False, error=0.0))),
        report(whole=True),  # one recipe follows not nearly every technique
        report([]),
    ],
    ids=["differing", "not finite", "mutation missed", "not followed", "nothing compared"],
)
def test_anything_wrong_ends_with_1(bad):
    assert bad.exit_status == 1


def test_a_known_deviation_is_allowed_up_to_its_size_in_its_check_alone():
    known = (
        Deviation(technique="elu", backend="two", check="step", size=1e-6, reason="r", tried="t"),
    )
    loss = np.full((1, 3), 1.0)

    def followed(error, step):
        other = loss.copy()
        other[0, step] += error
        return {
            "one": {"elu_he_momentum": {"p/loss": other}},
            "two": {"elu_he_momentum": {"p/loss": loss}},
        }

    # A loss of the second step is in "step" and in "trajectory"; only the first is in the table.
    assert [p.fine for p in pairs(followed(5e-7, 1), ELU, known)] == [False]
    both = (*known, known[0].model_copy(update={"check": "trajectory"}))
    assert [p.fine for p in pairs(followed(5e-7, 1), ELU, both)] == [True]
    assert [p.fine for p in pairs(followed(5e-6, 1), ELU, both)] == [False]
    assert [p.fine for p in pairs(followed(5e-7, 0), ELU, both)] == [False]
    elsewhere = tuple(row.model_copy(update={"technique": "selu"}) for row in both)
    assert [p.fine for p in pairs(followed(5e-7, 1), ELU, elsewhere)] == [False]


def test_every_technique_has_a_cell_on_every_backend():
    found = list(cells([pair(2e-12)], ELU, ("one", "two"), {}, ()))
    assert len(found) == 2 * len(list(techniques()))
    for technique in ("elu", "momentum", "he_normal"):
        cell = state(found, technique)
        assert (cell.state, cell.error, cell.recipes) == ("exact", 2e-12, 1)
    assert (state(found, "nadam").state, state(found, "nadam").error) == ("not followed", None)


def test_another_backends_fault_is_not_held_against_one():
    """Of three backends the third is off: it alone differs."""
    compared = [
        pair(1e-15, ours="one", theirs="two"),
        pair(1e-3, ours="one", theirs="three"),
        pair(1e-3, ours="two", theirs="three"),
    ]
    found = list(cells(compared, ELU, BACKENDS, {}, ()))
    states = [state(found, "elu", name).state for name in BACKENDS]
    assert states == ["exact", "exact", "differs"]
    fourth = [pair(1e-15, ours=name, theirs="four") for name in ("one", "two")]
    fourth.append(pair(1e-3, ours="three", theirs="four"))
    found = list(cells([*compared, *fourth], ELU, (*BACKENDS, "four"), {}, ()))
    states = [state(found, "elu", name).state for name in (*BACKENDS, "four")]
    assert states == ["exact", "exact", "differs", "exact"]


def test_an_unsupported_technique_says_why():
    reasons = {("two", "elu_he_momentum"): "no elu here"}
    found = list(cells([], ELU, ("one", "two"), reasons, ()))
    cell = state(found, "elu", "two")
    assert (cell.state, cell.reason) == ("unsupported", "no elu here")
    assert state(found, "elu", "one").state == "not followed"


def test_the_report_is_json_without_infinities():
    found = report([pair(np.inf)], (mutation(False, np.inf),)).as_json()
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert found["pairs"][0]["errors"]["gradient"] == "inf"
    assert [row["same"] for row in found["pairs"]] == [False]
    (row,) = found["mutations"]
    assert (row["what"], row["error"], row["caught"]) == ("elu.alpha", "inf", False)
    assert {cell["state"] for cell in found["cells"]} == {"differs", "not followed"}


def test_junit_has_a_case_for_everything_and_counts_the_failures():
    bad = report([pair(), pair(1e-3, theirs="three")], (mutation(), mutation(False)), whole=True)
    root = ElementTree.fromstring(bad.junit())
    cases = root.findall("testcase")
    left = [cell for cell in bad.cells if cell.state == "not followed"]
    assert len(cases) == int(root.get("tests")) == 2 + len(left) + 2
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert len(failed) == int(root.get("failures")) == 1 + len(left) + 1
    assert "elu_he_momentum: one and three" in failed
    assert "mutation elu_he_momentum: elu.alpha × 1.01 on one" in failed
    root = ElementTree.fromstring(report().junit())
    assert (root.get("tests"), root.get("failures")) == ("2", "0")


def rows(page, title):
    """Return the cells of the table under a heading."""
    lines = page.split(f"## {title}\n")[1].split("\n## ")[0].splitlines()
    table = [
        line.removeprefix("| ").removesuffix(" |").split(" | ")
        for line in lines
        if line.startswith("| ")
    ]
    assert len({len(row) for row in table}) == 1
    return table


def test_the_page_has_a_row_for_every_technique_and_mutation():
    every = [replace(pair(3e-13), recipe=name) for name in RECIPES]
    page = report(every, recipes=RECIPES, whole=True).markdown()
    table = rows(page, "Parity")
    assert table[0] == ["kind", "technique", "one", "two"]
    assert len(table) == 1 + len(list(techniques()))
    assert ["activation", "elu", "exact 3e-13", "exact 3e-13"] in table
    assert rows(page, "Mutations") == [
        ["what", "change", "recipe", "one", "two"],
        ["elu.alpha", "× 1.01", "elu_he_momentum", "1e-01", "–"],
    ]
    assert "Pairs that differ" not in page


def test_the_page_shows_differences_and_missed_mutations():
    page = report([pair(1e-3)], (mutation(False, 1e-12),)).markdown()
    (_, row) = rows(page, "Pairs that differ")
    assert row[:3] == ["elu_he_momentum", "one", "two"]
    assert row[3 + CHECKS.index("gradient")] == "1.0e-03"
    assert rows(page, "Mutations missed")[1][1:3] == ["elu.alpha", "× 1.01"]
    assert rows(page, "Mutations")[1][3] == "MISSED 1e-12"
    table = rows(page, "Parity")
    assert ["activation", "elu", "differs 1e-03", "differs 1e-03"] in table
    assert "nadam" not in {row[1] for row in table}  # only what was asked for
