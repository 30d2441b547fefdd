"""What the tests of the harness share: the NumPy backend, a tiny suite, and the real command line.

`tests/numpy_backend` is put on the path, of this process and of those it starts: that registers
the backend `numpy` through its entry point, as installing it would.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

NUMPY_BACKEND = Path(__file__).parent / "numpy_backend"
sys.path.insert(0, str(NUMPY_BACKEND))
os.environ["PYTHONPATH"] = os.pathsep.join(
    # In full: commands are started in other folders.
    [str(NUMPY_BACKEND)]
    + [os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
)
os.environ["MANYSEEDS_COMPILED"] = "off"  # tests compile what they test

TINY = Path(__file__).with_name("tiny.toml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def tiny(tmp_path):
    """Write the tiny suite, with some of its text replaced, and return the file."""

    def write(*changes, name="tiny.toml"):
        text = TINY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def numpy_only(monkeypatch):
    """One thread for NumPy's products, and no fault left over."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("MANYSEEDS_NUMPY_FAULT", raising=False)
    monkeypatch.delenv("MANYSEEDS_NUMPY_TRACE", raising=False)


@pytest.fixture
def manyseeds(numpy_only, monkeypatch, capsys):
    """The command line's own entry, called in this process: as the command, without its start."""
    from manyseeds.cli.main import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["manyseeds", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Answer(ended.value.code or 0, said.out, said.err)

    return call


@pytest.fixture
def start(numpy_only, tmp_path):
    """Start the command in a process group of its own; what is left of it ends with the test."""
    started = []
    # Where this process ignores Ctrl-C, as a test runner's helper may, those it starts would, too.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    def begin(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", "manyseeds.cli.main", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | environment,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    signal.signal(signal.SIGINT, handler)
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()


@pytest.fixture
def command(start):
    """Run the command in a process of its own and return its answer."""

    def call(*arguments, **environment):
        process = start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return Answer(process.returncode, out, err)

    return call
