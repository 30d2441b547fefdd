"""Whatever a stream is, a command prints to it: no encoding and no setting is too poor."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.streams import is_live

TEXT = "№ 1 – „naïve“ −0.17 ≥ 4 × 日本"


def printed(encoding, **environment):
    code = (
        "from manyseeds.presentation.streams import take_any_character\n"
        "take_any_character()\n"
        f"print({TEXT!r})\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding} | environment,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.decode(encoding)


def test_utf_8_has_every_character():
    assert printed("utf-8") == TEXT + "\n"


def test_ascii_has_look_alikes_and_numbers():
    assert printed("ascii") == (
        "No. 1 - \"naive\" -0.17 >= 4 x \\u65e5\\u672c\n"
    )  # fmt: skip


def test_an_old_encoding_keeps_what_it_has():
    assert printed("cp1252") == 'No. 1 – „naïve“ -0.17 >= 4 × \\u65e5\\u672c\n'  # fmt: skip


@pytest.mark.parametrize(
    "surroundings",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"FORCE_COLOR": "1", "COLUMNS": "20"},
        {"TTY_COMPATIBLE": "1", "COLUMNS": "20"},
        {"NO_COLOR": "1", "TERM": "dumb"},
        {"COLUMNS": "nonsense"},
    ],
)
def test_a_command_prints_all_its_words_in_any_surroundings(command, surroundings):
    answer = command("list", "suites", **surroundings)
    assert answer.status == 0, answer.err
    assert "Traceback" not in answer.err
    # The whole title stands on one line: a file has no width.
    assert "Monte Carlo dropout" in answer.out or "MC dropout" in answer.out


@pytest.mark.parametrize("force", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_colour_by_force_makes_no_terminal_of_a_file(monkeypatch, force):
    monkeypatch.setenv(force, "1")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert Console().is_terminal  # as Rich has it
    assert not is_live(Console())
    Outcome("Table", ("name",), (("a name of more than 20 letters",),)).show()
    assert "a name of more than 20 letters" in sys.stdout.getvalue()
