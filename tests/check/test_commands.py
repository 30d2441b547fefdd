"""`check`, `baseline` and `compare` through the real command line; their files through parsers of
their formats."""

import json
import os
import shutil
import signal
import threading
from dataclasses import replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import junitparser
import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from manyseeds.check.baseline import Baseline
from manyseeds.check.numerics import comparison, measurement, recipe_selection
from manyseeds.check.rows import Row
from manyseeds.conformance.recipes import parity_recipes

KIT = {name: parity_recipes()[name] for name in ("elu_nadam", "selu_dropout_sgd", "tanh_ftrl")}
ROW = "numerics/numpy/elu_nadam"


@pytest.fixture
def small_kit(monkeypatch):
    """A parity kit of three recipes."""
    for module in (measurement, comparison):
        monkeypatch.setattr(module, "parity_recipes", lambda: KIT)
    monkeypatch.setattr(recipe_selection, "ALWAYS", tuple(KIT))
    return KIT


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A baseline of these recipes."""
    folder = tmp_path_factory.mktemp("made")
    found = measurement.measure(["numpy"], tuple(KIT))
    Baseline(folder).accept(found.entries, "the first")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it, to be spoilt."""
    return shutil.copytree(made, tmp_path / "baseline")


@pytest.fixture
def check(manyseeds, small_kit, folder, tmp_path):
    """The command `check`, of the numerics of the NumPy backend."""

    def call(*arguments):
        where = ["--layer", "numerics", "--backend", "numpy", "--baseline", folder]
        return manyseeds("check", *where, "--results", tmp_path / "results", *arguments)

    return call


def spoil(folder, subject="elu_nadam", **context):
    """Change an entry of the baseline."""
    baseline = Baseline(folder)
    entry = baseline.entry(Row("numerics", "numpy", subject))
    arrays = dict(entry.arrays)
    arrays["train/moved"] = arrays["train/moved"] * (1 + 1e-4)
    versions = dict(entry.versions) | {"numpy": "1.99.0"}
    about = dict(entry.context) | {"versions": versions} | context
    baseline.accept([replace(entry, arrays=arrays, context=about)], "spoilt")


# ------------------------------------------------------------------------------------- check


def test_nothing_changed_is_exit_status_0(check):
    answer = check()
    assert answer.status == 0
    assert "no failing changes" in answer.out
    assert "3 unchanged; 3 comparisons" in answer.out
    assert ROW in check("--all").out


def test_a_change_fails_and_every_file_can_be_parsed(check, folder, tmp_path):
    spoil(folder)
    paths = {name: tmp_path / name for name in ("summary.md", "junit.xml", "figures")}
    options = zip(("--markdown", "--junit", "--figures"), paths.values(), strict=True)
    answer = check("--json", *(str(part) for option in options for part in option))
    assert answer.status == 1

    schema = json.loads((files("manyseeds.check") / "report.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(answer.json)
    first = answer.json["findings"][0]
    assert (first["row"], first["state"], first["fails"]) == (ROW, "changed", True)
    assert first["then"]["numpy"] == "1.99.0"

    (suite,) = junitparser.JUnitXml.fromfile(str(paths["junit.xml"]))
    assert (suite.name, suite.tests, suite.failures, suite.skipped) == ("numerics", 3, 1, 0)
    failed = {case.name: case.result[0].message for case in suite if case.result}
    assert set(failed) == {"elu_nadam"}
    assert "first difference at" in failed["elu_nadam"]

    text = paths["summary.md"].read_text(encoding="utf-8")
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    cells = [t.content for t in cells_of(tokens)]
    assert cells[2] == "row"
    assert ROW in [cell.replace("\\", "") for cell in cells]
    assert len(cells) == 2 * 7  # the header, and one row: nothing broke out of its cell
    assert {path.suffix for path in paths["figures"].iterdir()} == {".svg", ".png"}


def cells_of(tokens):
    inside = False
    for token in tokens:
        if token.type in ("th_open", "td_open"):
            inside = True
        elif inside and token.type == "inline":
            yield token
            inside = False


def test_a_row_is_explained_step_by_step(check, folder, monkeypatch):
    spoil(folder)
    answer = check("--explain", ROW)
    assert answer.status == 1
    assert "weights after" in answer.out
    wrong = check("--explain", "numerics/numpy/elu_nada")
    assert wrong.status == 2
    assert ROW in wrong.err


def test_a_check_names_the_versions_that_it_compared(check, folder):
    numpy = version("numpy")
    answer = check()
    assert answer.status == 0
    (line,) = [line for line in answer.out.splitlines() if line.startswith("numpy: ")]
    assert line.startswith("numpy: the same versions then and now: manyseeds ")
    assert f"numpy {numpy}" in line
    spoil(folder)
    (line,) = [line for line in check().out.splitlines() if line.startswith("numpy: ")]
    assert line.startswith(f"numpy: numpy 1.99.0 or {numpy} → {numpy}; as then: manyseeds ")


def test_an_acknowledged_change_is_shown_and_passes_until_it_expires(check, folder, tmp_path):
    spoil(folder)
    known = tmp_path / "acknowledged.toml"
    table = '[[acknowledged]]\nrow = "numerics/numpy/*"\nreason = "mended"\nexpires = {}\n'
    known.write_text(table.format("2999-01-01"))
    answer = check("--acknowledged", known)
    assert answer.status == 0
    assert "mended" in answer.out
    known.write_text(table.format("2001-01-01"))
    assert check("--acknowledged", known).status == 1
    known.write_text(table.format('"soon"'))
    broken = check("--acknowledged", known)
    assert broken.status == 2
    assert "acknowledged.toml" in broken.err
    assert "expires" in broken.err


def test_without_a_baseline_the_error_says_how_to_make_one(manyseeds, tmp_path):
    answer = manyseeds("check", "--backend", "numpy", "--baseline", tmp_path / "none")
    assert answer.status == 1
    assert "there is no baseline in" in answer.err
    assert 'manyseeds baseline --accept --because "the first"' in answer.err


def test_a_layer_the_baseline_lacks_is_missing_and_fails(check, folder):
    baseline = Baseline(folder)
    baseline.accept([], "less", dropped=[Row.parse(ROW)])
    answer = check()
    assert answer.status == 1
    assert "the baseline has no entry for it" in answer.out


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "index.json").write_text("{"), "index.json cannot be read"),
        (lambda f: entry_file(f).write_bytes(b"PK"), "is damaged at numerics/numpy/"),
        (lambda f: entry_file(f).unlink(), "cannot be read"),
    ],
    ids=["index", "entry", "gone"],
)
def test_a_damaged_baseline_is_reported_with_its_file_and_the_remedy(check, folder, harm, said):
    harm(folder)
    answer = check()
    assert answer.status == 1
    told = " ".join((answer.out + answer.err).split())
    assert said in told
    assert "`manyseeds baseline --accept`" in told


def entry_file(folder):
    (path,) = folder.rglob("*.zip")
    return path


def test_a_baseline_made_for_another_question_says_how_it_differs(check, folder):
    spoil(folder, steps=3)
    answer = check()
    assert answer.status == 1
    told = " ".join(answer.out.split())
    assert "not comparable" in told
    assert "steps 3 then" in told


def test_a_check_that_is_interrupted_says_so_and_leaves_no_process(start, folder):
    """By the signal that a terminal sends, while recipes are being followed."""
    where = ["--layer", "numerics", "--backend", "numpy", "--baseline", folder]
    process = start("check", *where)
    line = process.stderr.readline()
    assert "numerics: numpy" in line
    workers = children_of(process.pid)
    threading.Timer(60, process.kill).start()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == 1
    assert "interrupted in numerics" in said
    assert "nothing was compared" in said
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def children_of(pid):
    """Wait for the processes that one starts, and return them."""
    path = Path(f"/proc/{pid}/task")
    for _ in range(2000):
        found = [
            word for task in path.iterdir() for word in (task / "children").read_text().split()
        ]
        if found:
            return found
        os.sched_yield()
        threading.Event().wait(0.01)
    raise AssertionError("it started no process")


# ---------------------------------------------------------------------------------- baseline


def test_a_baseline_is_made_shown_and_kept_with_its_reasons(manyseeds, small_kit, tmp_path):
    where = ["--baseline", tmp_path / "made", "--backend", "numpy", "--layer", "numerics"]
    empty = manyseeds("baseline", *where)
    assert empty.status == 0
    assert "nothing has been accepted yet" in empty.out
    without = manyseeds("baseline", "--accept", *where)
    assert without.status == 2
    assert "--because" in without.err
    answer = manyseeds("baseline", "--accept", "--because", "the first", *where)
    assert answer.status == 0
    assert answer.out.count("accepted") == 3 + 1
    again = manyseeds("baseline", "--accept", "--because", "one row", "--row", ROW, *where)
    assert "1 rows accepted" in again.out
    shown = manyseeds("baseline", *where, "--json").json
    assert [(row["layer"], row["backend"], row["rows"]) for row in shown["rows"]] == [
        ("numerics", "numpy", 3)
    ]
    assert [note.split(": ")[1] for note in shown["notes"]] == [
        "3 rows, the first",
        "1 rows, one row",
    ]
    wrong = manyseeds(
        "baseline", "--accept", "--because", "x", "--row", "numerics/numpy/elu", *where
    )
    assert wrong.status == 2
    assert "Did you mean 'numerics/numpy/elu_nadam'" in wrong.err


def test_rows_that_could_not_be_measured_are_listed_and_fail_an_acceptance(
    manyseeds, small_kit, tmp_path, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "broken")
    where = ["--baseline", tmp_path / "made", "--backend", "numpy", "--layer", "numerics"]
    answer = manyseeds("baseline", "--accept", "--because", "an upgrade", *where, "--json")
    assert answer.status == 1
    assert [row["row"] for row in answer.json["rows"]] == [f"numerics/numpy/{n}" for n in KIT]
    for row in answer.json["rows"]:
        assert row["result"].startswith("not accepted, could not be measured: ")
        assert "ImportError: the numpy backend was asked to break" in row["result"]
    assert answer.json["notes"][0].startswith("0 rows accepted")
    assert answer.json["notes"][-1].startswith("3 rows could not be measured")
    assert not (tmp_path / "made").exists()


def test_a_row_that_could_not_be_trained_is_not_accepted(manyseeds, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "broken")
    quick = ("[tasks.source]", "[quick]\nseeds = 5\n\n[tasks.source]")
    where = ["--baseline", tmp_path / "made", "--backend", "numpy", "--layer", "accuracy"]
    where += ["--results", tmp_path / "results", "--suite", tiny(quick), "--json"]
    answer = manyseeds("baseline", "--accept", "--because", "an upgrade", *where)
    assert answer.status == 1
    assert answer.json["rows"]
    assert all("of 5 seeds 5 failed" in row["result"] for row in answer.json["rows"])
    assert not (tmp_path / "made").exists()


def test_an_acceptance_leaves_nothing_but_the_baseline(command, tmp_path):
    """In a folder of the user's own, which git watches."""
    work = tmp_path / "work"
    work.mkdir()
    row = ["--row", ROW, "--backend", "numpy", "--layer", "numerics", "--baseline", "gate"]
    answer = command("baseline", "--accept", "--because", "the first", *row)
    assert answer.status == 0
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p != work}
    archives = {name for name in left if name.endswith(".zip")}
    assert len(archives) == 1
    assert left - archives == {"gate", "gate/index.json", "gate/log.jsonl", "gate/numerics"}


def test_a_suite_without_a_quick_form_is_told_what_the_gate_trains(manyseeds, tiny, tmp_path):
    where = ["--baseline", tmp_path / "made", "--backend", "numpy", "--layer", "accuracy"]
    suite = tiny()
    answer = manyseeds("baseline", "--accept", "--because", "x", "--suite", suite, *where)
    assert answer.status == 2
    said = " ".join(answer.err.split())
    assert f"{suite}: has no quick form, which is what --suite trains: add a table [quick]" in said
    assert "--quick" not in said


def test_the_accuracy_layer_trains_a_suite_and_compares_it(manyseeds, tiny, tmp_path):
    where = ["--layer", "accuracy", "--backend", "numpy", "--baseline", tmp_path / "made"]
    where += ["--results", tmp_path / "results"]
    accept = ["baseline", "--accept", "--because", "the first"]
    quick = ("[tasks.source]", "[quick]\nseeds = 5\n\n[tasks.source]")
    assert manyseeds(*accept, "--suite", tiny(quick), *where).status == 0
    answer = manyseeds("check", "--suite", tiny(quick), "--json", *where)
    assert answer.status == 0
    assert {finding["state"] for finding in answer.json["findings"]} == {"unchanged"}
    other = tiny(quick, ("rate = 0.01", "rate = 0.02"))
    answer = manyseeds("check", "--suite", other, "--json", *where)
    assert answer.status == 1
    assert {finding["state"] for finding in answer.json["findings"]} == {"not comparable"}


# ----------------------------------------------------------------------------------- compare


def test_two_runs_are_compared(manyseeds, tiny, tmp_path):
    results = ["--results", tmp_path / "results"]
    for _ in range(2):
        assert manyseeds("run", tiny(), "--backend", "numpy", *results).status == 0
    one, two = sorted(path.name for path in (tmp_path / "results").glob("tiny-*"))
    answer = manyseeds("compare", one, two, "--junit", tmp_path / "j.xml", *results)
    assert answer.status == 0
    assert f"{one} → {two}: no failing changes" in answer.out
    assert "baseline" not in answer.out
    assert list(junitparser.JUnitXml.fromfile(str(tmp_path / "j.xml")))
    wrong = manyseeds("compare", one, "tiny-nowhere", *results)
    assert wrong.status == 2
    assert "tiny-nowhere" in wrong.err
