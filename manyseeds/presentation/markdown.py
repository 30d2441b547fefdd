"""Markdown: escaping, and tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup


def markdown_escaped(value: object) -> object:
    """Return a text escaped for Markdown and HTML; other values unchanged."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = value.replace("\r", " ").replace("\n", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|\[\]#~!])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def markdown_link(text: str, target: str) -> Markup:
    """Return a link as markup; its text is escaped."""
    return Markup(f"[{markdown_escaped(text)}]({target})")


def markdown_list(entries: Mapping[str, Any]) -> Markup:
    r"""Return texts by name as a list, and what is nested in them as lists within the list.

    Parameters
    ----------
    entries
        Texts, or further mappings, by name; both are escaped.

    Examples
    --------
    >>> print(markdown_list({"cores": "2", "versions": {"numpy": "2.4", "a*b": "1"}}))
    * cores: 2
    * versions
      * numpy: 2.4
      * a\*b: 1
    """
    return Markup("\n".join(_list_lines(entries, "")))


def _list_lines(entries: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in entries.items():
        item = f"{indent}* {markdown_escaped(name)}"
        if isinstance(value, Mapping):
            yield item
            yield from _list_lines(value, f"{indent}  ")
        else:
            yield f"{item}: {markdown_escaped(value)}"


def markdown_table(table: pd.DataFrame, right: Collection[str] = ()) -> Markup:
    r"""Return a frame of texts as a Markdown table, as markup that is not escaped again.

    Parameters
    ----------
    table
        The cells; texts are escaped unless they are markup.
    right
        Names of the columns that are aligned to the right.

    Examples
    --------
    >>> print(markdown_table(pd.DataFrame({"recipe": ["a|b"], "mean": ["0.98"]}), ["mean"]))
    | recipe   |   mean |
    |:---------|-------:|
    | a\|b     |   0.98 |
    """
    return Markup(
        _escaped(table).to_markdown(
            index=False,
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if name in right else "left" for name in table.columns],
        )
    )


def markdown_rows(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers_from: int | None = None
) -> str:
    r"""Return rows as a Markdown table whose cells are not padded: one long text widens no column.

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
    >>> print(markdown_rows(["recipe", "error"], [["relu | sgd", 1e-12]]))
    | recipe | error |
    |-------------|---------|
    | relu \| sgd | 1e-12 |
    """
    texts = [[str(value) for value in row] for row in rows]
    alignment = None
    if numbers_from is not None:
        alignment = ["left"] * numbers_from + ["right"] * (len(columns) - numbers_from)
    return _escaped(pd.DataFrame(texts, columns=pd.Index(columns))).to_markdown(
        index=False, tablefmt="pipe", disable_numparse=True, stralign=None, colalign=alignment
    )


def _escaped(table: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with headings and cells escaped, all of them texts."""
    heads = [str(markdown_escaped(str(name))) for name in table.columns]
    cells = [[str(markdown_escaped(cell)) for cell in row] for row in table.to_numpy(dtype=object)]
    return pd.DataFrame(cells, columns=pd.Index(heads))
