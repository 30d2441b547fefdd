"""The operating systems: Windows is refused with one sentence, and never with a traceback."""

import subprocess
import sys

import pytest

# Windows as far as our imports can tell: the platform, and no module that it lacks.
WINDOWS = """
import sys
import typer, typer.main, typer.rich_utils  # which on Windows import modules of its own
sys.platform = "win32"
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
"""


def on_windows(code):
    return subprocess.run(
        [sys.executable, "-c", WINDOWS + code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["list", "suites"], ["run", "transfer"], ["report"]])
def test_a_command_on_windows_says_so_in_one_sentence_with_status_2(arguments):
    answer = on_windows(
        f"sys.argv = ['manyseeds', *{arguments}]\n"
        "from manyseeds.cli.main import main\nmain()\n"
    )  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("manyseeds: manyseeds runs on Linux and macOS, not on Windows")
    assert "WSL" in answer.stderr


def test_the_package_is_imported_on_windows_and_its_functions_refuse():
    answer = on_windows(
        "import manyseeds\n"
        "from manyseeds.errors import RequestError\n"
        "try:\n"
        "    manyseeds.run('transfer')\n"
        "except RequestError as error:\n"
        "    print(error)\n"
    )
    assert answer.returncode == 0, answer.stderr
    assert "not on Windows" in answer.stdout
