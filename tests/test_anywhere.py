"""The Python interface works wherever Python does: scripts, standard input, notebooks, loops."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Run, report and parity, at the top level: without a main guard.
SCRIPT = """
from pathlib import Path
import manyseeds
results, out = Path({folder!r}, "results"), Path({folder!r}, "out")
records = manyseeds.run({suite!r}, results=results, backends="numpy")
print("trained", sorted(set(records["status"])), len(records))
pages = manyseeds.render_report(results=results, out=out)
print("written", sorted(page.name for page in pages if page.suffix == ".html"))
"""

PRINTED = "trained ['ok'] 9\nwritten ['index.html', 'techniques.html', 'tiny.html']\n"

NOTEBOOK = """
import asyncio
async def cell():
    exec({script!r}, {{"__name__": "__main__"}})
asyncio.run(cell())
"""


@pytest.fixture
def script(tiny, tmp_path, numpy_only):
    """A script that trains the tiny suite and reports on it."""
    return SCRIPT.format(suite=str(tiny()), folder=str(tmp_path))


def python(arguments, folder, text="", **environment):
    """Run Python, as a person in a folder does, and return its answer."""
    paths = [str(ROOT), os.environ["PYTHONPATH"]]
    return subprocess.run(
        [sys.executable, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment,
    )


def ways(script, folder):
    """Return the arguments and the standard input of each way to run a script."""
    (folder / "mine.py").write_text(script)
    return {
        "file": (["mine.py"], ""),
        "standard input": (["-"], script),
        "-c": (["-c", script], ""),
        "warnings as errors": (["-W", "error", "mine.py"], ""),
        "running loop": (["-c", NOTEBOOK.format(script=script)], ""),
    }


@pytest.mark.parametrize(
    "way",
    [
        "warnings as errors",
        *(pytest.param(way, marks=pytest.mark.slow)
          for way in ("file", "standard input", "-c", "running loop")),
    ],
)  # fmt: skip
def test_training_and_reporting_need_no_main_guard(script, tmp_path, way):
    folder = tmp_path / "work"
    folder.mkdir()
    arguments, text = ways(script, folder)[way]
    answer = python(arguments, folder, text)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == PRINTED
    assert "Traceback" not in answer.stderr
    assert (tmp_path / "out" / "tiny.html").is_file()


def test_a_notebooks_matplotlib_and_its_surroundings_are_left_alone(script, tmp_path):
    """As in a notebook: an inline canvas, settings of its own, and a chatty start-up file."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "matplotlibrc").write_bytes(b"\xff\xfe text.usetex: True")
    (folder / "queue.py").write_text("raise SystemExit('the wrong queue')\n")
    (folder / "sitecustomize.py").write_text("print('hello')\n")
    answer = python(["-P", "-c", NOTEBOOK.format(script=script)], folder, MPLBACKEND="nonsense")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == PRINTED


SECOND = """
from manyseeds_numpy import Entry
class Second(Entry):
    name = "second"
entry = Second()
"""

PARITY = """
import manyseeds
frame = manyseeds.parity(("numpy", "second"), ("elu_he_momentum",), steps=3, mutations=False)
print("compared", sorted(set(frame["backend"])), frame["error"].max())
"""


@pytest.mark.slow
def test_parity_needs_no_main_guard(tmp_path, numpy_only):
    """Two backends that are the same agree to the last bit."""
    site = tmp_path / "site"
    (site / "second-1.dist-info").mkdir(parents=True)
    (site / "second-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: second\n")
    (site / "second-1.dist-info" / "entry_points.txt").write_text(
        "[manyseeds.backends]\nsecond = second_backend:entry\n"
    )
    (site / "second_backend.py").write_text(SECOND)
    paths = os.pathsep.join([str(site), str(ROOT), os.environ["PYTHONPATH"]])
    answer = python(["-W", "error", "-"], tmp_path, PARITY, PYTHONPATH=paths)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "compared ['numpy', 'second'] 0.0\n"
