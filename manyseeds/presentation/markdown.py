"""Markdown: texts that are safe in it, and tables.

The report's templates, the gate and the parity kit all write their pages with these functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd
from markupsafe import Markup


def markdown_escaped(value: object) -> object:
    """Return a text that Markdown and HTML leave as it is; other values as they are."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = " ".join(value.split(" ")).replace("\r", " ").replace("\n", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|\[\]#~!])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def markdown_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers_from: int | None = None
) -> str:
    r"""Return a table in Markdown, with every cell escaped.

    Parameters
    ----------
    columns
        The column headings.
    rows
        The cells of each row, shown as `str` shows them.
    numbers_from
        The first of the columns to align right; None aligns none.

    Examples
    --------
    >>> print(markdown_table(["recipe", "error"], [["relu | sgd", 1e-12]]))
    | recipe | error |
    |-------------|---------|
    | relu \| sgd | 1e-12 |
    """
    cells = [[str(markdown_escaped(str(value))) for value in row] for row in rows]
    table = pd.DataFrame(cells, columns=pd.Index([markdown_escaped(name) for name in columns]))
    alignment = None
    if numbers_from is not None:
        alignment = ["left"] * numbers_from + ["right"] * (len(columns) - numbers_from)
    # Without `disable_numparse` cells that look like numbers would be formatted anew; without
    # alignment they are not padded, and one long message does not widen a whole column.
    return table.to_markdown(
        index=False, tablefmt="pipe", disable_numparse=True, stralign=None, colalign=alignment
    )
