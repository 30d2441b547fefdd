"""Ledgers made by chance: each reads as the right numbers, or as an error made on purpose.

A small real run is damaged, edited, doubled, mixed up or linked (`mutations`), and everything that
reads ledgers reads it. None ends in a traceback or hangs, and nothing is written or removed: not
outside the run's folder, and by reading not inside it.

`MANYSEEDS_LEDGERS=2000` makes that many and prints the counts; `MANYSEEDS_FIRST_LEDGER` is the
number of the first.
"""

from __future__ import annotations

import os
import shutil
import signal
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import pandas as pd
import pytest

import manyseeds
from manyseeds.errors import ManyseedsError, Notice
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.packing import pack
from manyseeds.ledger.runs import ledgers
from manyseeds.report import render
from tests.conftest import TINY
from tests.ledger.mutations import MUTATIONS

COUNT = int(os.environ.get("MANYSEEDS_LEDGERS", "34"))
FIRST = int(os.environ.get("MANYSEEDS_FIRST_LEDGER", "0"))
SECONDS = 60
"""The time after which a reading counts as hanging."""

DIAGNOSED = TINY.replace("epochs = 1\nrate", "epochs = 1\ndiagnostics = true\nrate")


@dataclass(frozen=True)
class Right:
    """The right numbers of a run, and its folder."""

    folder: Path
    records: pd.DataFrame
    curves: pd.DataFrame
    diagnostics: pd.DataFrame
    claims: pd.DataFrame


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A real run, as it was trained, and packed."""
    base = tmp_path_factory.mktemp("real")
    suite = base / "tiny.toml"
    suite.write_text(DIAGNOSED, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        manyseeds.run(str(suite), results=base / "loose", backends="numpy")
    (folder,) = (base / "loose").iterdir()
    packed = shutil.copytree(folder, base / "packed" / folder.name)
    pack(Ledger.open(packed))
    return [right(folder), right(packed)]


def right(folder):
    run = Ledger.open(folder)
    claims = manyseeds.claims(results=folder.parent)
    assert len(run.diagnostics()) > 0
    return Right(folder, run.records(), run.curves(), run.diagnostics(), claims)


def snapshot(folder):
    """Return everything in a folder: kinds, targets of links and contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else path.stat().st_mode
    return found


@contextmanager
def in_time():
    """Raise `TimeoutError` if something takes too long."""

    def stop(*_):
        raise TimeoutError(f"no answer within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Reading:
    """Everything that reads a ledger: `read` returns what one of the readers returns."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder.parent

    @cached_property
    def ledger(self):
        return Ledger.open(self.folder)

    def read(self, name):
        if name == "claims":
            return manyseeds.claims(results=self.results)
        if name == "csv":
            return render(ledgers(self.results), self.results.parent / "out", ["csv"])
        return getattr(self.ledger, name)()


def is_right(name, value, run, loses):
    """Return whether what was read is right: all of it, or a part if the rest was taken away."""
    if name == "csv":
        return True
    expected = getattr(run, name)
    if name == "claims":
        return loses or value.equals(expected)
    if value.equals(expected):
        return True
    if not loses:
        return False
    if name == "records":
        value = value[value["status"] != "missing"]
        if len(value) == len(expected):
            return False
    columns = list(expected)
    joined = value.merge(expected, on=columns, how="left", indicator=True)
    return len(value) <= len(expected) and bool((joined["_merge"] == "both").all())


def outcome(name, reading, run, loses):
    """Read a ledger and return "right", "refused", or what went wrong."""
    with warnings.catch_warnings(), in_time():
        warnings.simplefilter("ignore", Notice)
        try:
            value = reading.read(name)
        except ManyseedsError as error:
            return "refused" if len(str(error)) < 4000 and str(error) else "says nothing"
        except Exception:
            return traceback.format_exc()
    return "right" if is_right(name, value, run, loses) else f"wrong {name}"


def test_every_generated_ledger_is_right_or_refused(runs, tmp_path, capsys):
    counts, wrong = Counter(), []
    for number in range(FIRST, FIRST + COUNT):
        random, run = Random(number), runs[number % 2]
        mutation = MUTATIONS[(number // 2) % len(MUTATIONS)]
        place = tmp_path / "place"
        folder = shutil.copytree(run.folder, place / "results" / run.folder.name)
        (place / "outside").mkdir()
        (place / "outside" / "mine.txt").write_text("mine")
        mutation.apply(random, folder, place / "outside")
        before, reading = snapshot(place), Reading(folder)
        readers = ["records", "curves", "diagnostics", "claims"]
        if number % 50 == 0:
            readers.append("csv")
        for name in readers:
            ended = outcome(name, reading, run, mutation.loses)
            counts[name, ended if ended in ("right", "refused") else "wrong"] += 1
            if ended not in ("right", "refused"):
                wrong.append((number, mutation.name, name, ended))
        shutil.rmtree(place / "out", ignore_errors=True)
        if snapshot(place) != before:
            wrong.append((number, mutation.name, "", "something was written or removed"))
        shutil.rmtree(place)
    with capsys.disabled():
        if "MANYSEEDS_LEDGERS" in os.environ:
            print(f"\n{COUNT} ledgers: {dict(counts)}; wrong: {len(wrong)}")
    assert not wrong, "\n\n".join(map(str, wrong[:10]))
