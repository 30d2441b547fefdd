"""The addresses of a report's pages: each follows from one suite's name and form alone."""

from __future__ import annotations

from manyseeds.suite.suite import QUICK_ENDING


def page_address(suite: str, *, quick: bool) -> str:
    """Return the address of a suite's page: the name of its files, without suffix.

    A suite's name is a file name, no other page's, and does not end like a quick form's address
    (`manyseeds.suite.suite`).

    Examples
    --------
    >>> page_address("transfer", quick=False), page_address("transfer", quick=True)
    ('transfer', 'transfer-quick')
    """
    return suite + (QUICK_ENDING if quick else "")
