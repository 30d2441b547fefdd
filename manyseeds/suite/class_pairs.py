"""The parameter of a suite: pairs of classes, each of which makes a case of its recipes."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from manyseeds.suite.document import Document
from manyseeds.suite.plain_values import is_whole

Pair = tuple[int, int]

CLASSES = 10
"""Number of classes that pairs are chosen from."""

NO_PAIR: Pair = (-1, -2)
"""A pair of no classes: a recipe that is the same with it does not depend on the pair."""


def read_pairs(document: Document) -> tuple[Pair, ...]:
    """Return a suite's pairs of classes; the chapter's sandals and shirts if it names none."""
    pairs = document.tables.get("pairs", [[5, 6]])
    if pairs == "all":
        return tuple(itertools.combinations(range(CLASSES), 2))
    if not _are_pairs(pairs):
        expected = 'a list of two different classes each, such as [[5, 6]], or "all"'
        raise document.error("pairs", f"expected {expected}")
    chosen = tuple((first, second) for first, second in pairs)
    for pair, count in Counter(chosen).items():
        if count > 1:
            raise document.error("pairs", f"{list(pair)} appears twice")
    return chosen


def classes_outside(pair: Pair) -> tuple[int, ...]:
    """Return the classes that are not in a pair.

    >>> classes_outside((5, 6))
    (0, 1, 2, 3, 4, 7, 8, 9)
    """
    return tuple(label for label in range(CLASSES) if label not in pair)


def case_name(pair: Pair) -> str:
    """Return the name of a pair's case.

    >>> case_name((5, 6))
    '5-6'
    """
    return f"{pair[0]}-{pair[1]}"


def _are_pairs(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(pair, list)
            and len(pair) == 2
            and all(is_whole(label) and 0 <= label < CLASSES for label in pair)
            and pair[0] != pair[1]
            for pair in value
        )
    )
