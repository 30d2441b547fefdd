"""Kills real commands at random moments, goes on until the runs are whole, and counts the damage.

    python -m tests.execution.kills --kills 1000

Each cycle starts the next command that a run needs (`run`, `run --resume`, `pack`, `report`) in a
process group of its own, and kills with SIGKILL, after a random time, the command, its worker, or
the whole group. A run that is whole, packed and reported is compared with one that nobody
disturbed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.schemas import ROW_KEY, SECONDS

TESTS = Path(__file__).parents[1]
VICTIMS = ("command", "worker", "group")
VOLATILE = [*SECONDS, "peak_memory_bytes", "attempt", "session", "compilations"]
ENDING_SECONDS = 10.0


@dataclass
class Counts:
    """What was promised, what came of it, and what was left behind.

    Attributes
    ----------
    kills
        Kills by command and victim.
    late
        Commands that had ended before their time came.
    runs, promised, delivered
        Runs that were brought to an end, and their rows.
    lost, doubled, different
        Rows without an ok record in the end, with two records of one attempt, and with another
        number than in the undisturbed run.
    files, processes
        Temporary files in a whole run, and processes of a killed group that went on.
    tracebacks
        Commands that were not killed and printed a traceback.
    """

    kills: Counter[str] = field(default_factory=Counter)
    late: int = 0
    runs: int = 0
    promised: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0
    files: list[str] = field(default_factory=list)
    processes: int = 0
    tracebacks: list[str] = field(default_factory=list)


def command(*arguments: object) -> subprocess.Popen[str]:
    """Start a command in a process group of its own."""
    paths = [str(TESTS.parent), str(TESTS.parent / "backends"), str(TESTS / "numpy_backend")]
    return subprocess.Popen(
        [sys.executable, "-m", "manyseeds", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}
        | {"MANYSEEDS_NUMPY_FAULT": "slow:0.02"},
    )


def kill(process: subprocess.Popen[str], victim: str, counts: Counts) -> str:
    """Kill a victim and return the one that was there to be killed; count what goes on."""
    family = psutil.Process(process.pid).children(recursive=True)
    workers = [child for child in family if "start_worker" in " ".join(child.cmdline())]
    if victim == "worker" and workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            workers[0].kill()
        process.communicate(timeout=120)  # it goes on, and ends by itself
        return "worker"
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=ENDING_SECONDS)
    counts.processes += len(alive)
    for each in alive:
        each.kill()
    return "group" if victim == "group" else "command"


def disturbed(
    arguments: tuple[object, ...], chance: random.Random, counts: Counts, seconds: dict[str, float]
) -> None:
    """Run a command, and kill it or its worker after a random time, if it takes as long.

    `seconds` has the time that each command took when it was last left alone.
    """
    name, started = str(arguments[0]), time.monotonic()
    process = command(*arguments)
    try:
        _, said = process.communicate(timeout=chance.uniform(0, seconds[name]))
    except subprocess.TimeoutExpired:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim = kill(process, chance.choice(VICTIMS), counts)
            counts.kills[f"{name}: {victim}"] += 1
        process.communicate()
        return
    counts.late += 1
    seconds[name] = time.monotonic() - started
    if "Traceback" in said:
        counts.tracebacks.append(said)


def values(ledger: Ledger) -> list[dict[str, object]]:
    """Return the records without what depends on the hour."""
    frame = ledger.records().drop(columns=VOLATILE).sort_values(ROW_KEY)
    return json.loads(frame.to_json(orient="records", double_precision=15))  # type: ignore[no-any-return]


def next_command(results: Path, out: Path, suite: Path) -> tuple[object, ...]:
    """Return the command that the only run in a folder needs next."""
    plans = sorted(results.glob("*/plan.json"))
    if not plans:
        return ("run", suite, "--backend", "numpy", "--results", results)
    ledger = Ledger.open(plans[0].parent)
    if not ledger.complete():
        return ("run", "--resume", ledger.folder.name, "--results", results)
    if not (ledger.folder / "records.parquet").exists() or (ledger.folder / "records").exists():
        return ("pack", ledger.folder.name, "--results", results)
    return ("report", "--results", results, "--out", out, "--format", "md", "--format", "csv")


def is_whole(results: Path, out: Path, suite: Path) -> bool:
    """Return whether the run is packed, so that only its report is left to do."""
    return next_command(results, out, suite)[0] == "report"


def examine(results: Path, expected: list[dict[str, object]], counts: Counts) -> None:
    """Count the rows of a whole run, and what was left in its folder."""
    (plan,) = results.glob("*/plan.json")
    ledger = Ledger.open(plan.parent)
    records = ledger.records()
    counts.runs += 1
    counts.promised += len(list(ledger.plan.rows()))
    counts.delivered += int((records["status"] == "ok").sum())
    counts.lost += int((records["status"] != "ok").sum())
    written = pd.read_parquet(ledger.folder / "records.parquet")
    counts.doubled += int(written.duplicated([*ROW_KEY, "attempt"]).sum())
    pairs = zip(values(ledger), expected, strict=True)
    counts.different += sum(one != other for one, other in pairs)
    strays = [path for path in ledger.folder.rglob("*") if path.name.startswith(".")]
    counts.files += [path.name for path in strays if path.name != ".lock"]


def run_kills(folder: Path, kills: int, seed: int, suite: Path = TESTS / "tiny.toml") -> Counts:
    """Kill as often as asked, and return the counts over the runs that were begun."""
    chance, counts, number = random.Random(seed), Counts(), 0
    calm = folder / "calm"
    started = time.monotonic()
    assert command("run", suite, "--backend", "numpy", "--results", calm).wait() == 0
    seconds = dict.fromkeys(("run", "pack", "report"), time.monotonic() - started)
    (plan,) = calm.glob("*/plan.json")
    expected = values(Ledger.open(plan.parent))
    while counts.kills.total() < kills:
        number += 1
        results, out = folder / f"results{number}", folder / f"out{number}"
        results.mkdir()
        while not is_whole(results, out, suite):
            disturbed(next_command(results, out, suite), chance, counts, seconds)
        disturbed(next_command(results, out, suite), chance, counts, seconds)
        last = command(*next_command(results, out, suite))
        _, said = last.communicate()
        if last.returncode:
            counts.tracebacks.append(said)
        examine(results, expected, counts)
    return counts


def main() -> None:
    """Kill as often as the command line says, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        counts = run_kills(Path(folder), chosen.kills, chosen.seed)
    print(json.dumps(vars(counts), indent=1))
    print(f"{counts.kills.total()} kills in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
