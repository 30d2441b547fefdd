"""LaTeX tables for papers, with booktabs rules; every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from manyseeds.report.pages.suite_page import SuitePage

_SIGNS = {
    "\u2212": "$-$",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "→": r"$\rightarrow$",
    "–": "--",
    "\u00a0": "~",
}
"""Characters that pdfTeX's fonts lack, and the commands for them."""


def claims_tex(view: SuitePage) -> str:
    """Return the claims of a suite: verdict, improvement and interval per case and backend."""
    rows = [
        (claim.name, case.case, row.name, row.verdict, row.improvement, row.interval, row.pairs)
        for claim in view.claims
        for case in claim.cases
        for row in case.rows
    ]
    heads = ("Claim", "Case", "Backend", "Verdict", "Improvement", "95 % interval", "Pairs")
    return _table(view.title, heads, rows, "llllrrr")


def summary_tex(view: SuitePage) -> str:
    """Return every recipe: rows that are ok, and the primary metric."""
    rows = [
        (row.recipe, row.case, row.name, row.cells[1], row.cells[0], *row.cells[6:12])
        for row in view.summary
    ]
    heads = ("Recipe", "Case", "Backend", "ok", "promised", "mean", "95 % interval", "sd")
    return _table(view.title, (*heads, "median", "min", "max"), rows, "lll" + "r" * 8)


def _table(
    caption: str, heads: Sequence[str], rows: Sequence[tuple[str, ...]], columns: str
) -> str:
    """Return a longtable, which breaks over pages, without columns that are empty."""
    filled = [n for n in range(len(heads)) if any(row[n] for row in rows)] or list(
        range(len(heads))
    )
    frame = pd.DataFrame(
        [[row[n] for n in filled] for row in rows], columns=[heads[n] for n in filled]
    )
    styler = frame.style.hide(axis="index").format(_signs, escape="latex")
    styler = styler.format_index(_signs, axis="columns", escape="latex")
    return str(
        styler.to_latex(
            hrules=True,
            environment="longtable",
            column_format="".join(columns[n] for n in filled),
            caption=_escaped(caption),
        )
    )


def _signs(value: object) -> str:
    text = str(value)
    for sign, command in _SIGNS.items():
        text = text.replace(sign, command)
    return " ".join(text.split("\n"))


def _escaped(text: str) -> str:
    """Escape a caption, which pandas writes unchanged, in the way it escapes cells."""
    frame = pd.DataFrame([[text]]).style.hide(axis="index").hide(axis="columns")
    lines = frame.format(_signs, escape="latex").to_latex().splitlines()
    return lines[1].removesuffix(r"\\").strip()
