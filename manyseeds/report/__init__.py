"""Reports: an index, tables, figures and a page per suite, made from ledgers alone.

`render` writes the files. The same ledgers give the same bytes, wherever they and the report lie.
Statistics are computed in `manyseeds.statistics`; a report only arranges and words them.
"""

from typing import TYPE_CHECKING, Any

from manyseeds.report.formats import DEFAULT_FORMATS, FORMATS
from manyseeds.report.frames import claims_table, summary_table, variance_table
from manyseeds.report.output_folder import RenderedReport
from manyseeds.report.parity_report import ParityMatrix, read_parity

if TYPE_CHECKING:
    from manyseeds.report.rendering import render

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "ParityMatrix",
    "RenderedReport",
    "claims_table",
    "read_parity",
    "render",
    "summary_table",
    "variance_table",
]


def __getattr__(name: str) -> Any:
    """Import `render` when it is used: the tables do not need Matplotlib and its settings."""
    if name != "render":
        raise AttributeError(f"module 'manyseeds.report' has no attribute {name!r}")
    from manyseeds.report.rendering import render

    return render
