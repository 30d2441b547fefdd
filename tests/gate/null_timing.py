"""Measures how reliable the time layer is: false alarms, and slowdowns that it catches.

    python -m tests.gate.null_timing --markdown FILE --comparisons N

Processes of one version are measured and split into sets as large as a check's, in the order in
which they ran. Every pair of sets is compared: every change is a false alarm. Then every set is
compared with one whose backend has been slowed down.
"""

import argparse
import itertools
import math
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from manyseeds.check.baseline import Baseline
from manyseeds.check.rows import Row
from manyseeds.check.timing.comparison import compare
from manyseeds.check.timing.measurement import (
    PROCESSES,
    ROUNDS,
    SUBJECTS,
    TimingOptions,
    measure,
)
from manyseeds.check.timing.normalisation import normalised, weights_of
from manyseeds.presentation.markdown import markdown_rows

STATES = ("changed", "unchanged", "cannot tell", "not comparable")
BUSY = "import numpy as n\na = n.ones(1 << 22)\nwhile True: n.negative(a, out=a); sum(range(9999))"

PAGE = """\
# How reliable the time layer of the gate is

Made by

    {command}

with {processes} processes of {rounds} rounds in a set, the number of a check{load}.

## False alarms

{sets} sets of the same version{pairing}; all rows of a pair are judged together.

{alarms}

{caught}## Spread

Standard deviation of the logarithms of samples, in %: *sample*, within a process; *expected*, of
the medians of processes, if samples scattered independently; *between*, of these medians as they
are.

{spread}
"""


CAUGHT = """\
## Slowdowns caught

Sets of a backend that also keeps the CPU busy for a share of each call, compared with every normal
set.

{caught}

"""


@contextmanager
def load(processes):
    """Keep so many cores busy inside the context."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def split(entries, sets, processes):
    """Return the entries of each set, from entries of all processes."""

    def part(entry, place):
        less = sets * processes - len(
            entry.arrays["samples"]
        )  # the first process measures no memory
        rows = slice(max(0, place * processes - less), (place + 1) * processes - less)
        arrays = {name: a[rows] for name, a in entry.arrays.items() if name != "weights"}
        if "yardstick" in arrays:  # as a baseline of this set alone would have them
            parts = arrays["cpu"], arrays["yardstick"]
            arrays["weights"] = weights_of(*parts, entry.context["preparations"])
            arrays["samples"] = normalised(*parts, arrays["weights"])
        return replace(entry, arrays=arrays)

    return [[part(entry, place) for entry in entries] for place in range(sets)]


def findings_of(now, then):
    """Return the findings of comparing two sets."""
    with tempfile.TemporaryDirectory() as folder:
        baseline = Baseline(Path(folder))
        baseline.accept(then, "the same version")
        return compare(now, baseline).findings


def counted(findings, label):
    """Return how many findings have each state, in all and by subject."""
    lines = []
    groups = {"all": SUBJECTS} | {name: (name,) for name in SUBJECTS}
    for group, subjects in groups.items():
        chosen = [finding for finding in findings if finding.subject in subjects]
        states = [sum(finding.state == state for finding in chosen) for state in STATES]
        share = f"{states[0] / len(chosen):.1%}" if chosen else ""
        lines.append([f"{label}{group}", len(chosen), *states, share])
    return lines


def spreads(entries):
    """Return a line of the table of spreads for each entry."""
    for entry in entries:
        logs = np.log(entry.arrays["samples"])
        medians = np.median(logs, axis=1)
        within = 1.4826 * np.median(np.abs(logs - medians[:, None]))
        alone = math.sqrt(math.pi / 2 / logs.shape[1]) * within
        sds = (within, alone, medians.std(ddof=1))
        yield [entry.backend, entry.subject, *(f"{100 * sd:.1f}" for sd in sds)]


def slowed(options, times):
    """Measure a set of backends that take so many times as long."""
    program = ["tests.gate.slowed_clock", str(times)]
    entries = measure(
        options.backend,
        TimingOptions(processes=options.processes, rounds=options.rounds, program=program),
    )
    save(options, f"slowed-{times}", entries)
    return entries


def save(options, name, entries):
    """Save measurements beside the page, to judge them again later."""
    folder = options.markdown.with_suffix("") / name
    Baseline(folder).accept(entries, f"measured for {options.markdown.name}")


def saved(options, folder):
    """Return the entries that another run has saved."""
    rows = [Row("time", backend, subject) for backend in options.backend for subject in SUBJECTS]
    entries = map(Baseline(folder).entry, rows)
    return [entry for entry in entries if entry]


def all_sets(options, entries):
    """Return as many sets as there are processes for."""
    processes = max(len(entry.arrays["samples"]) for entry in entries)
    return split(entries, processes // options.processes, options.processes)


def measured(options):
    """Return the entries and sets of one version, and a slowed set for each factor."""
    if options.again:
        folder = options.markdown.with_suffix("")
        all_ = saved(options, folder / "same")
        slower = {times: saved(options, folder / f"slowed-{times}") for times in options.slowed}
        return all_, all_sets(options, all_), slower
    rows_of_a_pair = len(options.backend) * len(SUBJECTS)
    pairs = options.comparisons / rows_of_a_pair
    sets = options.sets or max(2, math.ceil((1 + math.sqrt(1 + 8 * pairs)) / 2))
    processes = sets * options.processes
    all_ = measure(options.backend, TimingOptions(processes=processes, rounds=options.rounds))
    save(options, "same", all_)
    return (
        all_,
        split(all_, sets, options.processes),
        {t: slowed(options, t) for t in options.slowed},
    )


def main():
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--comparisons", type=int, default=300)
    parser.add_argument("--backend", action="append")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--slowed", type=float, nargs="*", default=[1.15, 1.3])
    parser.add_argument("--load", action="store_true", help="keep a core busy while measuring")
    parser.add_argument(
        "--sets", type=int, help="number of sets, instead of as many as --comparisons takes"
    )
    parser.add_argument("--again", action="store_true", help="judge the saved measurements again")
    parser.add_argument(
        "--against", type=Path, help="folder of sets saved by another run, to compare with"
    )
    options = parser.parse_args()
    options.backend = options.backend or ["pytorch", "tensorflow", "jax"]
    with load(1 if options.load else 0):
        all_, sets, slower = measured(options)
    pairs = itertools.combinations(sets, 2)
    if options.against:
        pairs = itertools.product(sets, all_sets(options, saved(options, options.against)))
    alarms = counted([f for now, then in pairs for f in findings_of(now, then)], "")
    caught = [
        line
        for times, now in slower.items()
        for line in counted([f for then in sets for f in findings_of(now, then)], f"x {times}, ")
    ]
    heads = ["rows", "comparisons", *STATES, "share changed"]
    page = PAGE.format(
        command="python -m tests.gate.null_timing " + " ".join(sys.argv[1:]),
        processes=options.processes,
        rounds=options.rounds,
        load=", beside another process that keeps a core busy" if options.load else "",
        sets=len(sets),
        pairing=", each compared with every set of an idle machine"
        if options.against
        else ", every pair compared",
        alarms=markdown_rows(heads, alarms, numbers_from=1),
        caught=CAUGHT.format(caught=markdown_rows(heads, caught, numbers_from=1)) if caught else "",
        spread=markdown_rows(
            ["backend", "subject", "sample", "expected", "between"], spreads(all_), numbers_from=2
        ),
    )
    options.markdown.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
