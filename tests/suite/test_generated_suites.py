"""Suites made by chance are read and planned, or refused with a short message that names the file.

Nothing else may come of one: no other exception, no endless work, no file outside the run's own
folder, and no text that the terminal shows as anything but itself.
"""

import signal
from collections import Counter
from contextlib import contextmanager

import pytest

from manyseeds.errors import LONGEST_MESSAGE, RequestError, printable
from manyseeds.execution.planner import make_plan
from manyseeds.execution.request import Options
from manyseeds.ledger.ledger import Ledger
from manyseeds.presentation.run_display import TerminalDisplay
from manyseeds.suite.files import read_suite
from tests.suite.generated import generated

SECONDS = 20
"""Seconds of the processor after which a suite counts as one that never ends."""


@contextmanager
def limited():
    """Raise an error in code that takes too long."""

    def stop(*_):
        raise TimeoutError(f"not read within {SECONDS} s of the processor")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def planned(path, *, quick):
    """Return the plan of a suite and the suite, or the message with which it is refused."""
    try:
        with limited():
            file = read_suite(str(path), quick=quick)
            return make_plan(file, Options(backends=("numpy",), seeds=3)).plan, file.suite
    except RequestError as error:
        return str(error)


def check(number, folder, manyseeds, capsys, *, printed):
    """Check the suite of a number, and return what became of it."""
    made = generated(number)
    path = folder / "made.toml"
    path.write_bytes(made.content)
    result = planned(path, quick=number % 4 == 0)
    if isinstance(result, str):
        assert len(result) <= LONGEST_MESSAGE
        assert result.startswith(f"{path}: ")
        if printed:
            form = ["--quick"] if number % 4 == 0 else []
            answer = manyseeds("plan", path, "--detect", 0.1, "--sd", 0.1, *form)
            assert answer.status == 2
            assert answer.err == printable(f"manyseeds: {result}\n")
        return "refused"
    plan, suite = result
    results = folder / "results"
    ledger = Ledger.create(results, plan)
    assert ledger.folder.parent == results
    assert Ledger.open(ledger.folder).suite == suite
    capsys.readouterr()
    with TerminalDisplay().run(ledger, frozenset()):
        pass
    shown = capsys.readouterr().err
    assert suite.title in shown
    return "read with markup" if made.markup and made.markup in suite.title else "read"


def counted(numbers, folder, manyseeds, capsys, *, printed):
    """Check the suites of these numbers, and return how many were read and refused."""
    counts = Counter()
    for number in numbers:
        before = contents(folder)
        try:
            outcome = check(number, folder, manyseeds, capsys, printed=number % printed == 0)
        except BaseException as error:
            error.add_note(f"the generated suite is number {number}")
            raise
        counts[outcome] += 1
        new = contents(folder) - before - {"made.toml", "results"}
        assert len(new) == (outcome != "refused"), number
        assert all(name.startswith("results/") for name in new), number
    return counts


def contents(folder):
    """Return the names of all that lies in the test's folder, and of the runs in it."""
    results = folder / "results"
    names = {path.name for path in folder.iterdir()}
    return names | {f"results/{path.name}" for path in results.glob("*")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    inner = tmp_path / "here"
    inner.mkdir()
    monkeypatch.chdir(inner)
    yield inner
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_generated_suite_is_planned_or_refused_and_nothing_else(folder, manyseeds, capsys):
    counts = counted(range(200), folder, manyseeds, capsys, printed=10)
    assert counts["read"] > 15
    assert counts["read with markup"] > 2
    assert counts["refused"] > 100


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(10))
def test_ten_thousand_generated_suites_are_planned_or_refused(folder, manyseeds, capsys, thousand):
    numbers = range(1_000 * (thousand + 1), 1_000 * (thousand + 2))
    counts = counted(numbers, folder, manyseeds, capsys, printed=20)
    print(f"{dict(counts)} of {len(numbers)}")
    assert counts["read"] > 100
    assert counts["refused"] > 300
