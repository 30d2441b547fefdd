"""The same report, byte for byte, whatever surrounds the command."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RC = """
lines.linewidth: 9
font.family: monospace
savefig.bbox: tight
savefig.transparent: True
axes.prop_cycle: cycler('color', ['r'])
axes.formatter.use_locale: True
svg.fonttype: none
text.usetex: True
figure.dpi: 31
timezone: Asia/Tokyo
"""

TRAP = "raise SystemExit('a file of the working folder was run')\n"


@dataclass(frozen=True)
class Around:
    """Surroundings: variables to set or, with None, to unset; files in the working folder."""

    set: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    umask: int = 0o022

    def __or__(self, other):
        return Around(self.set | other.set, self.files | other.files, max(self.umask, other.umask))


TRAPS = {f"{name}.py": TRAP for name in ("queue", "json", "random", "matplotlib", "pandas", "re")}
NO_HOME = {"HOME": "/dev/null", "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None}
CHATTY = {"sitecustomize.py": "print('hello')\n", "startup.py": "print('hello')\n"}

SURROUNDINGS = {
    "the C locale": Around({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "German": Around({"LC_ALL": "de_DE.UTF-8"}),
    "Turkish": Around({"LC_ALL": "tr_TR.UTF-8"}),
    "ASCII": Around({"PYTHONIOENCODING": "ascii"}),
    "colour by force": Around({"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}),
    "no colour": Around({"NO_COLOR": "1", "TERM": "dumb"}),
    "a matplotlibrc": Around({"MATPLOTLIBRC": "matplotlibrc"}, {"matplotlibrc": RC}),
    "a backend that is none": Around({"MPLBACKEND": "nonsense"}),
    "a notebook's backend": Around({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}),
    "another time zone": Around({"TZ": "Pacific/Kiritimati"}),
    "traps in the working folder": Around({}, TRAPS),
    "no home": Around(NO_HOME),
    "a home with a blank": Around({**NO_HOME, "HOME": "my home"}, {"my home/.keep": ""}),
    "chatty start-up files": Around({"PYTHONSTARTUP": "startup.py", "PYTHONPATH": "."}, CHATTY),
    "another hash seed": Around({"PYTHONHASHSEED": "12345"}),
    "a narrow umask": Around(umask=0o077),
    "a narrow terminal": Around({"COLUMNS": "1", "LINES": "1"}),
    "a date for builds": Around({"SOURCE_DATE_EPOCH": "0"}),
    "warnings as errors": Around({"PYTHONWARNINGS": "error"}),
    "more threads": Around({"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}),
}


def together(*names):
    around = Around()
    for name in names:
        around |= SURROUNDINGS[name]
    return around


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A run of the tiny suite on the NumPy backend."""
    from manyseeds.execution.request import Options, TrainingRequest
    from manyseeds.execution.train import train
    from manyseeds.presentation.run_display import TerminalDisplay

    folder = tmp_path_factory.mktemp("results")
    suites = (str(ROOT / "tests" / "tiny.toml"),)
    request = TrainingRequest(suites=suites, results=folder, options=Options(backends=("numpy",)))
    train(request, TerminalDisplay())
    return folder


@pytest.fixture(scope="module")
def expected(results, tmp_path_factory):
    """The files of the report in this process's own surroundings, by their hashes."""
    files, _ = report(results, tmp_path_factory.mktemp("plain"), Around())
    assert len(files) > 20
    pages = {".html", ".md", ".csv", ".tex", ".svg", ".png"}
    assert {Path(name).suffix for name in files} == {*pages, ".json"}  # the manifest
    return files


def report(results, folder, around):
    """Make the report as a person in a folder does; return its files and what the command said."""
    working, out = folder / "working", folder / "out"
    working.mkdir()
    for name, text in around.files.items():
        (working / name).parent.mkdir(exist_ok=True)
        (working / name).write_text(text)
    environment = os.environ | {name: text for name, text in around.set.items() if text is not None}
    for name in (name for name, text in around.set.items() if text is None):
        environment.pop(name, None)
    if (working / environment.get("HOME", "none")).is_dir():
        environment["HOME"] = str(working / environment["HOME"])
    own = [str(ROOT), os.environ["PYTHONPATH"]]
    path = [str(working) for _ in filter(None, [around.set.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path + own)
    formats = [f"--format={name}" for name in ("html", "md", "csv", "latex")]
    answer = subprocess.run(
        [sys.executable, "-m", "manyseeds", "report", "--results", str(results), "--out", str(out),
         *formats],
        cwd=working, env=environment, umask=around.umask, capture_output=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr.decode("utf-8", "replace")
    hashes = {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    return hashes, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    "around",
    [
        together(
            "the C locale", "colour by force", "a matplotlibrc", "a backend that is none",
            "another time zone", "traps in the working folder", "a narrow terminal",
            "another hash seed",
        ),
        together(
            "ASCII", "no colour", "no home", "chatty start-up files", "a narrow umask",
            "a date for builds", "warnings as errors", "a notebook's backend",
        ),
    ],
    ids=["many", "many others"],
)  # fmt: skip
def test_the_report_is_the_same_byte_for_byte_in_odd_surroundings(
    results, expected, tmp_path, around
):
    files, said = report(results, tmp_path, around)
    assert files == expected
    assert b"Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_report_is_the_same_byte_for_byte_in_each(results, expected, tmp_path, name):
    files, said = report(results, tmp_path, SURROUNDINGS[name])
    assert files == expected
    assert b"Traceback" not in said
