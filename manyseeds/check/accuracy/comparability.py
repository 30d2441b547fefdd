"""Decides whether an entry and its baseline are answers to the same question.

A different recipe, different seeds or different data make a different question. A different
machine, or number of threads or lanes, is only a different condition: the seeds still show what
accuracy a recipe reaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.check.accuracy.entries import FORM
from manyseeds.check.baseline import BaselineEntry
from manyseeds.model import digest
from manyseeds.statistics.summary import STATUSES

CONDITIONS = ("device", "machine", "threads", "lanes", "precision", "deterministic", "tf32")
OK, DIVERGED = STATUSES.index("ok"), STATUSES.index("diverged")


def undelivered(entry: BaselineEntry) -> str:
    """Return how many rows were not delivered, and why, in words; "" if all were."""
    status = entry.arrays["status"]
    counts = {
        name.replace("_", " "): int((status == code).sum())
        for code, name in enumerate(STATUSES)
        if code not in (OK, DIVERGED)
    }
    primary = str(entry.context["primary"])
    values = entry.arrays.get(primary, np.full(len(status), np.nan))
    counts[f"ok without a finite {primary}"] = int((~np.isfinite(values[status == OK])).sum())
    if not any(counts.values()):
        return "" if len(status) else "no seed was trained"
    lost = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    reasons = "; ".join(entry.context.get("reasons", ()))
    return f"of {len(status)} seeds {lost}" + (f": {reasons}" if reasons else "")


def different_question(now: BaselineEntry, then: BaselineEntry, *, same_seeds: bool) -> str:
    """Return how the questions of two entries differ, in words; "" if they are the same.

    `same_seeds` says whether different seeds make a different question.
    """
    if then.context.get("form") != FORM:
        return f"its form is {then.context.get('form')}, this version's is {FORM}"
    differences = []
    if then.context["recipe_sha256"] != now.context["recipe_sha256"]:
        differences.append(_recipe_changes(then.context["recipe"], now.context["recipe"]))
    for key, meaning in (("varied", "streams that a seed drives"), ("primary", "primary metric")):
        if then.context[key] != now.context[key]:
            differences.append(f"{meaning}: {then.context[key]} → {now.context[key]}")
    current, earlier = now.context["datasets"], then.context["datasets"]
    differences += [
        f"data set {name!r} has different files (SHA-256)"
        for name in sorted(set(current) & set(earlier))
        if current[name] and earlier[name] and current[name] != earlier[name]
    ]
    if same_seeds and not np.array_equal(np.sort(seeds_of(now)), np.sort(seeds_of(then))):
        differences.append(f"seeds {_range(seeds_of(then))} → {_range(seeds_of(now))}")
    return "; ".join(differences)


def _recipe_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the first few keys in which two recipes differ, in words."""
    before, after = dict(_flat(then)), dict(_flat(now))
    absent = "—"
    changes = [
        f"{key} {before.get(key, absent)} → {after.get(key, absent)}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key, absent) != after.get(key, absent)
    ]
    more = f", and {len(changes) - 3} more" if len(changes) > 3 else ""
    return "recipe: " + (", ".join(changes[:3]) + more if changes else "its fingerprint")


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping | list | tuple) and value:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, inner in items:
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def seeds_of(entry: BaselineEntry) -> NDArray[np.int64]:
    """Return the seeds of an entry, in its order."""
    seeds: NDArray[np.int64] = entry.arrays["seeds"]
    return seeds


def _range(seeds: NDArray[np.int64]) -> str:
    if not len(seeds):
        return "none"
    return f"{len(seeds)} ({seeds.min()} … {seeds.max()})"


def different_conditions(now: BaselineEntry, then: BaselineEntry) -> Iterator[str]:
    """Yield the conditions that differ: "threads 1 → 2"."""
    for name in (*CONDITIONS, "quick"):
        before, after = then.context.get(name), now.context.get(name)
        if before != after:
            yield f"{name} {before} → {after}"


def must_be_identical(now: BaselineEntry, then: BaselineEntry) -> bool:
    """Return whether the conditions require the numbers to be the same, bit for bit."""
    keys = ("versions", "platform", "switches", "commit", "dirty", *CONDITIONS)
    before, after = ({key: entry.context.get(key) for key in keys} for entry in (then, now))
    certain = before["deterministic"] and before["versions"] and before["dirty"] is False
    return bool(certain) and digest(before) == digest(after)
