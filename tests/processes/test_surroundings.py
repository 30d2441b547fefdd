"""What a worker, and a framework in it, keep of the user's surroundings."""

import os
from pathlib import Path

import pytest

from manyseeds.processes.import_path import worker_environment, worker_path
from manyseeds.processes.surroundings import aside, ignored_variables, keep_flags, undisturbed
from manyseeds.processes.worker_process import Worker

ODD = "tests.processes.odd_worker"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONWARNINGS", "error"),
        ("PYTHONSTARTUP", "/startup.py"),
        ("PYTHONOPTIMIZE", "2"),
        ("PYTHONDEVMODE", "1"),
        ("NPY_DISABLE_CPU_FEATURES", "AVX2"),
        ("OPENBLAS_CORETYPE", "Prescott"),
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline"),
        ("MATPLOTLIBRC", "/mine"),
    ],
)
def test_a_worker_does_not_inherit_what_changes_python_or_our_libraries(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert name not in worker_environment({})


def test_a_worker_inherits_the_rest_and_its_output_takes_any_character(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    environment = worker_environment({"MINE": "x"})
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["MINE"] == "x"
    assert environment["PYTHONIOENCODING"] == "utf-8:backslashreplace"
    with Worker.start(ODD) as worker:
        worker.send({"print": "30 % – №1"})
        assert worker.receive(60) == {"printed": 9}


def test_a_worker_starts_in_a_folder_that_has_been_removed(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert worker_path()
    with Worker.start("manyseeds.processes.call_worker", "os:getpid") as worker:
        worker.send({"number": 0, "arguments": "gAQpLg=="})  # a pickled ()
        assert worker.receive(60)["number"] == 0
    monkeypatch.chdir(tmp_path)


def test_a_framework_is_imported_without_the_users_variables(monkeypatch):
    for name, value in (("FRAME_NANS", "1"), ("FRAME_PLACE", "/x"), ("OTHER", "y")):
        monkeypatch.setenv(name, value)
    with undisturbed(("FRAME_*",), but=("FRAME_PLACE",)):
        assert "FRAME_NANS" not in os.environ
        assert os.environ["FRAME_PLACE"] == "/x"
        assert os.environ["OTHER"] == "y"


def test_a_framework_finds_no_settings_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").touch()
    monkeypatch.chdir(tmp_path)
    with aside():
        assert not Path("matplotlibrc").exists()
        assert not [path.name for path in Path().iterdir() if path.suffix != ".py"
                    and path.name != "__pycache__"]  # fmt: skip
    assert Path.cwd() == tmp_path


def test_flags_that_change_numbers_are_removed_and_the_others_kept(monkeypatch):
    monkeypatch.setenv("SOME_FLAGS", "--fast_math=true --data_dir=/x --dump_to=/y")
    keep_flags("SOME_FLAGS", ("data_dir", "dump_*"))
    assert os.environ["SOME_FLAGS"] == "--data_dir=/x --dump_to=/y"
    keep_flags("SOME_FLAGS", ())
    assert "SOME_FLAGS" not in os.environ


def test_a_person_is_told_of_variables_that_are_ignored_and_of_no_others():
    before = {"NANS": "True", "FLAGS": "--fast --place=/x", "EMPTY": "", "SAME": "1", "ADDED": "a"}
    now = {"FLAGS": "--place=/x --ours", "SAME": "1", "ADDED": "a --ours", "NEW": "1"}
    assert ignored_variables(before, now) == ["EMPTY", "FLAGS", "NANS"]
