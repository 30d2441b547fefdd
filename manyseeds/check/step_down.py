"""Holm's step-down (1979), for decisions by intervals.

With k comparisons open, each is judged by an interval for k comparisons. Those that can be decided
are settled, which leaves fewer, and so narrower intervals, for the rest. It uses no p-values: a
decision also depends on the least effect that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")
Decision = TypeVar("Decision")


def step_down(
    keys: Sequence[Key],
    judge: Callable[[Sequence[Key], float], Mapping[Key, Decision]],
    *,
    level_among: Callable[[int], float],
    settled: Callable[[Decision], bool],
) -> dict[Key, Decision]:
    """Return the decision about every comparison, judged together.

    Parameters
    ----------
    keys
        The comparisons.
    judge
        Returns the decisions about some of them, by intervals of a given coverage.
    level_among
        Returns the coverage of each interval, by the number of open comparisons.
    settled
        Returns whether a decision is final; an open comparison is judged again.
    """
    decisions: dict[Key, Decision] = {}
    open_keys = list(keys)
    while open_keys:
        decisions |= judge(open_keys, level_among(len(open_keys)))
        undecided = [key for key in open_keys if not settled(decisions[key])]
        if len(undecided) == len(open_keys):
            break
        open_keys = undecided
    return decisions
