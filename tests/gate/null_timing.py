"""What the time layer is worth: `python -m tests.gate.null_timing --markdown FILE --comparisons N`.

Processes of one version are measured and dealt into sets as large as a check's, in the order they
ran in. Every pair of sets is compared: whatever has changed is a false alarm. Then every set is
compared with one whose backend has been made slower.
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

from manyseeds.check.store import Baseline
from manyseeds.check.timing.layer import PROCESSES, ROUNDS, SUBJECTS, compare, measure
from manyseeds.check.timing.multiples import in_multiples, weights_of

STATES = ("changed", "unchanged", "cannot tell", "not comparable")
BUSY = "import numpy as n\na = n.ones(1 << 22)\nwhile True: n.negative(a, out=a); sum(range(9999))"

PAGE = """\
# What the time layer of the gate is worth

Made by

    {command}

with {processes} processes of {rounds} rounds in a set, the number of a check{load}.

## False alarms

{sets} sets of the same version{pairing}, all rows of a pair judged together.

{alarms}

{caught}## Spread

Standard deviation of the logarithms of samples, in %: of a sample within its process, of what that
alone would make of the medians of a process, and of these medians between processes.

{spread}
"""


CAUGHT = """\
## What is caught

Sets of a backend that keeps the CPU busy for a share of each call, compared with every set without.

{caught}

"""


@contextmanager
def load(processes):
    """Keep cores busy meanwhile."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


def dealt(entries, sets, processes):
    """Return the entries of each set, from entries of all of them."""

    def part(entry, place):
        less = sets * processes - len(entry.arrays["samples"])  # memory has no first process
        rows = slice(max(0, place * processes - less), (place + 1) * processes - less)
        arrays = {name: a[rows] for name, a in entry.arrays.items() if name != "weights"}
        if "yardstick" in arrays:  # a baseline of this set would have weights of its own
            parts = arrays["cpu"], arrays["yardstick"]
            arrays["weights"] = weights_of(*parts, entry.context["preparations"])
            arrays["samples"] = in_multiples(*parts, arrays["weights"])
        return replace(entry, arrays=arrays)

    return [[part(entry, place) for entry in entries] for place in range(sets)]


def judged(now, then):
    """Compare two sets and return the findings."""
    with tempfile.TemporaryDirectory() as folder:
        baseline = Baseline(Path(folder))
        baseline.accept(then, "the same version")
        return compare(now, baseline).findings


def rows(heads, lines):
    """Return a table."""
    marks = ["---"] + ["---:"] * (len(heads) - 1)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (heads, marks, *lines))


def counted(findings, label):
    """Return how many findings have each state, by subject group."""
    lines = []
    groups = {"all": SUBJECTS} | {name: (name,) for name in SUBJECTS}
    for group, subjects in groups.items():
        chosen = [each for each in findings if each.subject in subjects]
        states = [sum(each.state == state for each in chosen) for state in STATES]
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


def slowed(asked, times):
    """Return a set of backends that take so many times as long."""
    program = ["tests.gate.slowed_clock", str(times)]
    found = measure(asked.backend, processes=asked.processes, rounds=asked.rounds, program=program)
    keep(asked, f"slowed-{times}", found)
    return found


def keep(asked, name, entries):
    """Leave measurements beside the page, for whoever wants to judge them otherwise."""
    folder = asked.markdown.with_suffix("") / name
    Baseline(folder).accept(entries, f"measured for {asked.markdown.name}")


def kept(asked, folder):
    """Return the entries that another run left."""
    names = [(backend, subject) for backend in asked.backend for subject in SUBJECTS]
    found = [Baseline(folder).entry("time", *name) for name in names]
    return [entry for entry in found if entry]


def all_sets(asked, entries):
    """Return as many sets as there are processes for."""
    processes = max(len(entry.arrays["samples"]) for entry in entries)
    return dealt(entries, processes // asked.processes, asked.processes)


def measured(asked):
    """Return the sets of one version, and one slowed set for each factor."""
    if asked.again:
        folder = asked.markdown.with_suffix("")
        all_ = kept(asked, folder / "same")
        slower = {times: kept(asked, folder / f"slowed-{times}") for times in asked.slowed}
        return all_, all_sets(asked, all_), slower
    rows_of_a_pair = len(asked.backend) * len(SUBJECTS)
    pairs = asked.comparisons / rows_of_a_pair
    sets = asked.sets or max(2, math.ceil((1 + math.sqrt(1 + 8 * pairs)) / 2))
    all_ = measure(asked.backend, processes=sets * asked.processes, rounds=asked.rounds)
    keep(asked, "same", all_)
    return all_, dealt(all_, sets, asked.processes), {t: slowed(asked, t) for t in asked.slowed}


def main():
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--comparisons", type=int, default=300)
    parser.add_argument("--backend", action="append")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--slowed", type=float, nargs="*", default=[1.15, 1.3])
    parser.add_argument("--load", action="store_true", help="keep a core busy meanwhile")
    parser.add_argument("--sets", type=int, help="instead of as many as comparisons take")
    parser.add_argument("--again", action="store_true", help="judge what was kept, without --load")
    parser.add_argument("--against", type=Path, help="sets kept by another run, to compare with")
    asked = parser.parse_args()
    asked.backend = asked.backend or ["pytorch", "tensorflow", "jax"]
    with load(1 if asked.load else 0):
        all_, sets, slower = measured(asked)
    pairs = itertools.combinations(sets, 2)
    if asked.against:
        pairs = itertools.product(sets, all_sets(asked, kept(asked, asked.against)))
    alarms = counted([each for now, then in pairs for each in judged(now, then)], "")
    caught = [
        line
        for times, now in slower.items()
        for line in counted([e for then in sets for e in judged(now, then)], f"x {times}, ")
    ]
    heads = ["rows", "comparisons", *STATES, "share changed"]
    page = PAGE.format(
        command="python -m tests.gate.null_timing " + " ".join(sys.argv[1:]),
        processes=asked.processes,
        rounds=asked.rounds,
        load=", with another process that keeps a core busy" if asked.load else "",
        sets=len(sets),
        pairing=", each compared with every one of an idle machine"
        if asked.against
        else ", every pair compared",
        alarms=rows(heads, alarms),
        caught=CAUGHT.format(caught=rows(heads, caught)) if caught else "",
        spread=rows(["backend", "subject", "sample", "expected", "between"], spreads(all_)),
    )
    asked.markdown.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
