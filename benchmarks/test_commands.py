"""Seconds of commands that a person waits for."""

import subprocess
import sys
import time

from benchmarks.ratio_table import as_long


def test_help(sizes, benchmark, report):
    command = [sys.executable, "-m", "manyseeds.cli.main", "--help"]
    benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, check=True), rounds=sizes.help_rounds
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    python = time.perf_counter() - started
    ours = benchmark.stats.stats.median
    report(
        "`manyseeds --help`",
        ours=f"{ours:.2f} s",
        peer=f"Python alone {python:.2f} s",
        ratio=as_long(ours, python),
    )
