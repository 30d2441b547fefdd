"""Terminals: every text from outside is shown as it is, never read as markup.

Unless it is told otherwise, Rich reads `[…]` and `:name:` in texts as styles and pictures, and
passes control characters on. Consoles are made here only, and styled lines from their parts.
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from manyseeds.errors import printable

Part = str | tuple[str, str]
"""A text, or a text and its style."""


def terminal(*, errors: bool = False, width: int | None = None) -> Console:
    """Return a console on standard output, or on the standard error stream.

    Parameters
    ----------
    errors
        Whether it is the standard error stream.
    width
        Characters in a line; None takes those of the terminal.
    """
    return Console(stderr=errors, width=width, markup=False, emoji=False, highlight=False)


def styled(*parts: Part) -> Text:
    r"""Return texts one after the other, each in its style; control characters are written out.

    >>> styled(("[bold]", "red"), " \x1b[31m").plain
    '[bold] \\x1b[31m'
    """
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((printable(text), style) for text, style in pairs))
