"""Make all tables of a suite's synthetic records in a process of its own.

`python -m benchmarks.statistics_tables SUITE RECORDS` prints seconds and peak memory as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.synthetic_records import records_of
from manyseeds import statistics
from manyseeds.statistics.estimands import claim_pairs
from manyseeds.suite.files import read_suite


def main(name: str, rows: int) -> dict[str, Any]:
    """Return the seconds that each table took, and the peak memory in GB."""
    suite = read_suite(name).suite
    records = records_of(suite, rows)
    seconds: dict[str, float] = {}

    def timed(table: str, make: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = make()
        seconds[table] = time.perf_counter() - started
        return result

    pairs = timed("pairs", lambda: claim_pairs(records, suite))
    comparisons = timed("comparisons", lambda: statistics.comparisons_table(records, suite))
    timed("claims", lambda: statistics.claims_table(records, suite, pairs))
    timed("confession", lambda: statistics.confession_table(records, suite, pairs))
    timed("cherries", lambda: statistics.cherries_table(records, suite, pairs))
    timed("published", lambda: statistics.published_table(records, suite, pairs))
    timed("specification", lambda: statistics.specification_table(records, suite, comparisons))
    timed("summary", lambda: statistics.summary_table(records, suite))
    timed("variance", lambda: statistics.variance_table(records, suite))
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {"records": len(records), "seconds": seconds, "peak_gb": peak}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
