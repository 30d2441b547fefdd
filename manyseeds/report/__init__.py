"""Reports: tables, figures and a page per suite, made from ledgers alone.

The same ledgers give the same bytes, wherever they and the report lie.
"""

from manyseeds.report.render import FORMATS, render
from manyseeds.report.tables import claims_table, summary_table, variance_table

__all__ = ["FORMATS", "claims_table", "render", "summary_table", "variance_table"]
