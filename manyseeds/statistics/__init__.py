"""Statistics of the records: intervals, tests, verdicts, variance by stream, best of k.

Functions that end in `_table` take the records of one suite (`Ledger.records`) and the suite, and
return a frame. Nothing here draws, prints or reads a file. Nothing is random either: the bootstrap
draws from a generator with a fixed seed.
"""

from manyseeds.statistics.bootstrap import LEVEL, RESAMPLES, Intervals, mean_intervals, sd_intervals
from manyseeds.statistics.claims import claims_table
from manyseeds.statistics.comparisons import comparisons_table
from manyseeds.statistics.confession import best_of, cherries_table, confession_table
from manyseeds.statistics.layer_diagnostics import layers_table
from manyseeds.statistics.published_figures import published_table
from manyseeds.statistics.range_tests import range_test_steps, range_tests_table
from manyseeds.statistics.specification import specification_table
from manyseeds.statistics.summary import summary_table
from manyseeds.statistics.variance import variance_table
from manyseeds.statistics.verdict import Verdict, seeds_to_settle, verdict

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Intervals",
    "Verdict",
    "best_of",
    "cherries_table",
    "claims_table",
    "comparisons_table",
    "confession_table",
    "layers_table",
    "mean_intervals",
    "published_table",
    "range_test_steps",
    "range_tests_table",
    "sd_intervals",
    "seeds_to_settle",
    "specification_table",
    "summary_table",
    "variance_table",
    "verdict",
]
