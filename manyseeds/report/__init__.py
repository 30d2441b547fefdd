"""Reports: an index, tables, figures and a page per suite, made from ledgers alone.

`render` writes the files. The same ledgers give the same bytes, wherever they and the report lie.
Statistics are computed in `manyseeds.statistics`; a report only arranges and words them.
"""

from manyseeds.report.frames import claims_table, summary_table, variance_table
from manyseeds.report.parity_report import ParityMatrix, read_parity
from manyseeds.report.render import DEFAULT_FORMATS, FORMATS, render

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "ParityMatrix",
    "claims_table",
    "read_parity",
    "render",
    "summary_table",
    "variance_table",
]
