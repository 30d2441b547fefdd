"""Renders a report in a process of its own, where nothing of the caller's changes a figure.

A notebook has a Matplotlib with settings of its own, a shell an `MPLBACKEND`, and a script may have
made warnings errors. Nothing here imports Matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manyseeds.ledger.ledger import Ledger
from manyseeds.processes.calls import called
from manyseeds.report.formats import DEFAULT_FORMATS
from manyseeds.report.output_folder import RenderedReport
from manyseeds.report.parity_report import ParityMatrix

_RENDER = "manyseeds.report.rendering:render"


def render_apart(
    ledgers: Sequence[Ledger],
    out: Path,
    formats: Sequence[str] = DEFAULT_FORMATS,
    parity: ParityMatrix | None = None,
) -> RenderedReport:
    """Render a report as `manyseeds.report.rendering.render` does, in a process of its own."""
    report: RenderedReport = called(_RENDER, list(ledgers), out, list(formats), parity)
    return report
