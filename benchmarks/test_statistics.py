"""Seconds and memory of the statistics: intervals against SciPy's, and tables of a million records.

Nothing is asserted about time; the ratios are printed at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from manyseeds.statistics import mean_intervals
from manyseeds.statistics.bootstrap import RESAMPLES
from manyseeds.statistics.resampling import _shares

SEEDS, COLUMNS, RECORDS = 1_000, 20, 1_000_000


def test_intervals(benchmark, tell):
    values = np.random.default_rng(0).normal(0.01, 0.02, (SEEDS, COLUMNS))
    benchmark.pedantic(
        mean_intervals, args=(values,), setup=_shares.cache_clear, rounds=3, warmup_rounds=1
    )
    started = time.perf_counter()
    for column in values.T[:2]:
        stats.bootstrap((column,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=0)
    theirs = (time.perf_counter() - started) / 2 * COLUMNS
    ours = benchmark.stats.stats.median
    tell(
        f"{RESAMPLES:,} resamples of {SEEDS:,} x {COLUMNS} paired values, s", "", f"{ours:.2f}",
        f"scipy.stats.bootstrap {theirs:.1f}", f"{ours / theirs:.2f}x", "no draws kept from before",
    )  # fmt: skip


@pytest.mark.parametrize("suite", ["transfer", "transfer_pairs"])
def test_tables_of_a_million_records(suite, tell):
    command = [sys.executable, str(Path(__file__).with_name("tables.py")), suite, str(RECORDS)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    found = json.loads(done.stdout)
    slowest = max(found["seconds"], key=found["seconds"].get)
    tell(
        f"tables of {found['records']:,} records, s: {suite}", "",
        f"{sum(found['seconds'].values()):.1f}", "", "",
        f"peak {found['peak_gb']:.2f} GB; {slowest} {found['seconds'][slowest]:.1f} s",
    )  # fmt: skip
