"""Reports: an index, tables, figures and a page per suite, made from ledgers alone.

The same ledgers give the same bytes, wherever they and the report lie.
"""

from manyseeds.report.parity import Parity, read_parity
from manyseeds.report.render import DEFAULT_FORMATS, FORMATS, render
from manyseeds.report.tables import claims_table, summary_table, variance_table

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "Parity",
    "claims_table",
    "read_parity",
    "render",
    "summary_table",
    "variance_table",
]
