"""The command line: what it imports, what it prints, how it ends."""

import json
import shlex
import subprocess
import sys

import pytest

from manyseeds.cli.main import app
from manyseeds.suite.files import suite_names
from manyseeds.techniques.registry import techniques

HEAVY = ("torch", "tensorflow", "keras", "jax", "flax", "optax")
SLOW_TO_IMPORT = ("pandas", "pydantic", "pyarrow", "scipy", "sklearn", "matplotlib", "numpy")


def imported(code):
    """Return the modules a fresh interpreter has imported after running some code."""
    report = "import sys, json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(answer.stderr.splitlines()[-1])}


def calling(*arguments):
    return (
        f"import sys; sys.argv = {['manyseeds', *arguments]!r}\n"
        "from manyseeds.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass"
    )


def test_help_imports_nothing_slow():
    assert not imported(calling("--help")) & {*HEAVY, *SLOW_TO_IMPORT}


@pytest.mark.parametrize("name", ["run", "parity"])
def test_a_commands_help_imports_nothing_slow_but_what_typer_does(name):
    found = imported(calling(name, "--help")) - {"pydantic"}
    assert not found & {*HEAVY, *SLOW_TO_IMPORT}


@pytest.mark.parametrize("kind", ["suites", "techniques", "datasets", "backends"])
def test_listing_imports_no_framework(kind):
    assert not imported(calling("list", kind)) & {*HEAVY}


def test_the_harness_imports_no_framework_and_no_backend():
    modules = (
        "manyseeds.execution.worker", "manyseeds.execution.runner",
        "manyseeds.execution.train", "manyseeds.cli.main", "manyseeds.conformance",
    )  # fmt: skip
    found = imported("\n".join(f"import {name}" for name in modules))
    wings = {f"manyseeds_{name}" for name in ("pytorch", "tensorflow", "jax", "numpy")}
    assert not found & {*HEAVY, *wings}


def test_a_backends_entry_imports_no_framework():
    code = "from manyseeds.backend.discovery import backend_entries\nbackend_entries()"
    found = imported(code)
    assert "manyseeds_numpy" in found
    assert not found & {*HEAVY}


def test_the_command_answers_in_a_process_of_its_own(command):
    answer = command("--help")
    assert answer.status == 0
    for name in ("run", "report", "parity", "list", "doctor"):
        assert name in answer.out
    assert "Exit status: 0" in answer.out
    assert "Traceback" not in answer.err


def test_every_command_has_help(manyseeds):
    for registered in app.registered_commands:
        name = registered.name or registered.callback.__name__
        answer = manyseeds(name, "--help")
        assert answer.status == 0
        assert registered.callback.__doc__.split("\n")[0].rstrip(".") in answer.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "nonsense"),
        ("run", "transfer", "--nonsense"),
        ("run", "transfer", "--device", "tpu"),
        ("run", "transfer", "--seeds", "many"),
        ("run", "--all", "transfer"),
        ("run", "--resume", "nonsense"),
        ("run", "transfer", "--resume", "nonsense"),
        ("list", "nonsense"),
        ("report", "nonsense"),
        ("parity", "--backend", "numpy"),
        ("parity", "--recipe", "nonsense", "--backend", "numpy", "--backend", "jax"),
        ("parity", "--steps", "0"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_a_wrong_request_ends_with_2_and_says_why(manyseeds, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = manyseeds(*arguments)
    assert answer.status == 2
    assert answer.err.strip()
    assert "Traceback" not in answer.err
    assert list(tmp_path.iterdir()) == []


def test_exit_status_and_json_of_a_run(manyseeds, tiny, tmp_path, monkeypatch):
    arguments = ("run", tiny(), "--recipe", "scratch", "--backend", "numpy", "--json")
    results = ("--results", tmp_path / "results")
    answer = manyseeds(*arguments, *results)
    assert answer.status == 0
    (row,) = answer.json["rows"]
    assert (row["recipe"], row["backend"]) == ("scratch", "numpy")
    assert (row["promised"], row["ok"], row["failed"], row["missing"]) == (3, 3, 0, 0)
    assert 0 <= row["test_accuracy"] <= 1

    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "raise:scratch:0")
    answer = manyseeds(*arguments, *results)
    assert answer.status == 1
    (row,) = answer.json["rows"]
    assert (row["promised"], row["ok"], row["failed"]) == (3, 0, 3)
    assert row["test_accuracy"] is None
    assert any("--resume" in note for note in answer.json["notes"])


def test_results_may_be_named_in_the_environment(manyseeds, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_RESULTS", str(tmp_path / "elsewhere"))
    manyseeds("run", tiny(), "--recipe", "scratch", "--backend", "numpy", "--seeds", "1")
    assert len(list((tmp_path / "elsewhere").glob("tiny-*/plan.json"))) == 1


def test_list_names_what_there_is(manyseeds):
    def names(kind):
        return [row["name"] for row in manyseeds("list", kind, "--json").json["rows"]]

    assert names("suites") == suite_names()
    assert len(names("techniques")) == len(list(techniques()))
    assert {"digits", "fashion-mnist-12k", "fashion-mnist"} <= set(names("datasets"))
    assert {"numpy", "pytorch", "tensorflow", "jax"} <= set(names("backends"))


@pytest.mark.parametrize("kind", ["suites", "techniques", "datasets", "backends"])
def test_list_prints_a_table_for_people(manyseeds, kind):
    answer = manyseeds("list", kind)
    assert answer.status == 0
    first = manyseeds("list", kind, "--json").json["rows"][0]["name"]
    assert kind.capitalize() in answer.out
    assert first in answer.out


def test_doctor_says_what_is_there(manyseeds):
    answer = manyseeds("doctor", "--json")
    found = {row["what"]: row["state"] for row in answer.json["rows"]}
    assert answer.status == 0
    assert found["python"] == "ok"
    assert found["backend numpy"] == "ok"
    assert found["dataset digits"] == found["dataset fashion-mnist-12k"] == "ok"


def test_json_has_no_infinity():
    from manyseeds.presentation.command_result import Outcome

    outcome = Outcome("t", ("a", "b"), ((float("inf"), float("nan")), (1.5, None)))
    text = json.dumps(outcome.as_json(), allow_nan=False)
    assert json.loads(text)["rows"] == [{"a": "inf", "b": "nan"}, {"a": 1.5, "b": None}]


@pytest.mark.parametrize("memory", ["-1", "0", "nan", "inf", "1e-12"])
def test_memory_is_refused_in_the_unit_in_which_it_is_asked_for(manyseeds, tiny, tmp_path, memory):
    answer = manyseeds("run", tiny(), "--memory", memory, "--results", tmp_path / "results")
    assert answer.status == 2
    assert f"--memory {float(memory):g}: expected the GiB that a cohort may use" in answer.err
    assert not (tmp_path / "results").exists()


def test_a_tilde_in_the_results_folder_stands_for_the_home_folder(
    manyseeds, tiny, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MANYSEEDS_RESULTS", "~/my results")
    monkeypatch.chdir(tmp_path)
    answer = manyseeds("run", tiny(), "--backend", "numpy", "--recipe", "scratch")
    assert answer.status == 0
    assert len(list((tmp_path / "home" / "my results").iterdir())) == 1
    assert not (tmp_path / "~").exists()


def test_a_notice_is_one_line_without_a_place_in_the_code(manyseeds, tmp_path, monkeypatch):
    import warnings

    from manyseeds.cli import inventory
    from manyseeds.errors import Notice

    def listing(_kind):
        warnings.warn("run 'theirs' is left out", Notice, stacklevel=1)
        warnings.warn("run 'theirs' is left out", Notice, stacklevel=1)
        raise SystemExit(0)

    monkeypatch.setattr(inventory, "listing", listing)
    assert manyseeds("list", "suites").err == "manyseeds: run 'theirs' is left out\n" * 2


def test_an_error_of_the_system_about_a_file_ends_in_a_sentence(manyseeds, tmp_path):
    answer = manyseeds("baseline", "--baseline", tmp_path / ("x" * 300))
    assert answer.status == 1
    assert "File name too long. The path is too long" in answer.err
    assert "Traceback" not in answer.err


def test_the_rest_of_a_run_is_trained_by_the_command_that_is_shown(
    manyseeds, tiny, tmp_path, monkeypatch
):
    results = tmp_path / "my results"
    monkeypatch.setenv("MANYSEEDS_NUMPY_FAULT", "raise:scratch:0")
    answer = manyseeds(
        "run", tiny(), "--backend", "numpy", "--recipe", "scratch", "--results", results
    )
    monkeypatch.delenv("MANYSEEDS_NUMPY_FAULT")
    assert answer.status == 1
    shown = " ".join((answer.out + answer.err).split()).split("Train the rest with: ")[1]
    words = shlex.split(shown)[:6]
    assert words[:3] == ["manyseeds", "run", "--resume"]
    assert words[4:] == ["--results", str(results)]
    assert manyseeds(*words[1:]).status == 0
