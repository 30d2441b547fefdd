"""Seconds of commands that a person waits for."""

from __future__ import annotations

import subprocess
import sys


def test_help(benchmark, tell):
    command = [sys.executable, "-m", "manyseeds.cli.main", "--help"]
    bare = [sys.executable, "-c", "pass"]
    benchmark.pedantic(lambda: subprocess.run(command, capture_output=True, check=True), rounds=5)
    import time

    started = time.perf_counter()
    subprocess.run(bare, check=True)
    python = time.perf_counter() - started
    ours = benchmark.stats.stats.median
    tell(
        "manyseeds --help, s",
        "",
        f"{ours:.2f}",
        f"python {python:.2f}",
        f"{ours / python:.1f}x",
        "",
    )
