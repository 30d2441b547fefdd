"""Calls in worker processes: they need no main module, and keep their order."""

import os
import subprocess
import sys
import time

import pytest

from manyseeds.errors import RequestError, RunError
from manyseeds.processes.calls import called, mapped

HERE = "tests.processes.functions"


def test_a_call_returns_what_the_function_returns_in_another_process():
    answer = called(f"{HERE}:surroundings", "HOME")
    assert answer["pid"] != os.getpid()
    assert answer["value"] == os.environ.get("HOME")


def test_results_come_in_the_order_of_the_calls_whichever_ends_first():
    started = time.monotonic()
    calls = [(0.6, 0), (0.0, 1), (0.0, 2), (0.3, 3)]
    assert list(mapped(f"{HERE}:after", calls, 2)) == [0, 1, 2, 3]
    assert list(mapped(f"{HERE}:after", [], 2)) == []
    assert time.monotonic() - started < 60


def test_errors_on_purpose_are_raised_here():
    with pytest.raises(RequestError, match="no such format"):
        called(f"{HERE}:refuse", "no such format")


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [("crash", "no luck", "ended with status 1: ArithmeticError: no luck"),
     ("die", 7, "ended with status 7")],
)  # fmt: skip
def test_other_ends_are_an_error_that_names_them(function, argument, words):
    with pytest.raises(RunError, match=words):
        called(f"{HERE}:{function}", argument)


SCRIPT = """
import sys
from manyseeds.processes.calls import mapped
print(sorted(mapped("tests.processes.functions:after", [(0, "a"), (0, "b")], 2)))
"""


@pytest.mark.parametrize("way", ["file", "-c", "-"])
def test_a_script_needs_no_main_guard(tmp_path, way):
    """`multiprocessing` would start the script again in each process, and again in those."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = {"file": [str(script)], "-c": ["-c", SCRIPT], "-": ["-"]}[way]
    answer = subprocess.run(
        [sys.executable, "-W", "error", *command],
        input=SCRIPT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": f"{os.getcwd()}{os.pathsep}{os.environ['PYTHONPATH']}"},
    )
    assert (answer.stdout, answer.stderr) == ("['a', 'b']\n", "")


def test_a_librarys_warning_stays_in_the_worker(recwarn):
    assert called(f"{HERE}:warn", "deprecated") == "deprecated"
    assert not recwarn.list
