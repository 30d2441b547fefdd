"""Seconds and memory of the statistics: intervals against SciPy's, and tables of a million records.

No time is asserted; the ratios are printed at the end.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.ratio_table import as_fast
from manyseeds.statistics import mean_intervals
from manyseeds.statistics.bootstrap import RESAMPLES

ROOT = Path(__file__).parents[1]


def test_intervals(sizes, benchmark, report):
    values = np.random.default_rng(0).normal(0.01, 0.02, (sizes.seeds, sizes.columns))
    fewer = iter(range(1, sizes.interval_rounds + 1))

    def another_size():
        # Samples of one size share their draws: each round has another size, so that it draws anew.
        return (values[next(fewer) :],), {}

    mean_intervals(values)
    benchmark.pedantic(mean_intervals, setup=another_size, rounds=sizes.interval_rounds)
    started = time.perf_counter()
    for column in values.T[: sizes.scipy_columns]:
        stats.bootstrap((column,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=0)
    theirs = (time.perf_counter() - started) / sizes.scipy_columns * sizes.columns
    ours = benchmark.stats.stats.median
    report(
        f"{RESAMPLES:,} resamples of {sizes.seeds:,} × {sizes.columns} paired values",
        ours=f"{ours:.2f} s",
        peer=f"scipy.stats.bootstrap {theirs:.1f} s",
        ratio=as_fast(ours, theirs),
        remark="no draws reused from an earlier round",
    )


@pytest.mark.parametrize("suite", ["transfer", "transfer_pairs"])
def test_tables_of_a_million_records(suite, sizes, report):
    command = [sys.executable, "-m", "benchmarks.statistics_tables", suite, str(sizes.records)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    results = json.loads(process.stdout)
    seconds = results["seconds"]
    slowest = max(seconds, key=seconds.get)
    report(
        f"tables of {results['records']:,} records of `{suite}`",
        ours=f"{sum(seconds.values()):.1f} s",
        remark=f"peak {results['peak_gb']:.2f} GB; {slowest} {seconds[slowest]:.1f} s",
    )
