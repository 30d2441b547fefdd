"""Whether what was trained now and the baseline of the accuracy layer are answers to one question.

Another recipe, other seeds or other data are another question. Another machine, another number of
threads or lanes are other conditions: seeds still tell what a recipe reaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.check.accuracy.scored import FORM
from manyseeds.check.store import Entry
from manyseeds.model import digest
from manyseeds.statistics.summary import STATUSES

CONDITIONS = ("device", "machine", "threads", "lanes", "precision", "deterministic", "tf32")
OK, DIVERGED = STATUSES.index("ok"), STATUSES.index("diverged")


def undelivered(entry: Entry) -> str:
    """Say how many rows were not delivered, and why; "" if all were."""
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


def other_question(now: Entry, then: Entry, *, same_seeds: bool) -> str:
    """Say in what the questions differ; "" if they are the same."""
    if then.context.get("form") != FORM:
        return f"its form is {then.context.get('form')}, that of this version is {FORM}"
    found = []
    if then.context["recipe_sha256"] != now.context["recipe_sha256"]:
        found.append(_recipes(then.context["recipe"], now.context["recipe"]))
    for name, what in (("varied", "streams that a seed drives"), ("primary", "primary metric")):
        if then.context[name] != now.context[name]:
            found.append(f"{what}: {then.context[name]} → {now.context[name]}")
    data, known = now.context["datasets"], then.context["datasets"]
    found += [
        f"data set {name!r} has other files (SHA-256)"
        for name in sorted(set(data) & set(known))
        if data[name] and known[name] and data[name] != known[name]
    ]
    if same_seeds and not np.array_equal(np.sort(seeds_of(now)), np.sort(seeds_of(then))):
        found.append(f"seeds {_range(seeds_of(then))} → {_range(seeds_of(now))}")
    return "; ".join(found)


def _recipes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what differs between two recipes, the first few keys of it."""
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


def seeds_of(entry: Entry) -> NDArray[np.int64]:
    """Return the seeds of an entry, in its order."""
    seeds: NDArray[np.int64] = entry.arrays["seeds"]
    return seeds


def _range(seeds: NDArray[np.int64]) -> str:
    if not len(seeds):
        return "none"
    return f"{len(seeds)} ({seeds.min()} … {seeds.max()})"


def other_conditions(now: Entry, then: Entry) -> Iterator[str]:
    """Yield the conditions that differ, "threads 1 → 2"."""
    for name in (*CONDITIONS, "quick"):
        before, after = then.context.get(name), now.context.get(name)
        if before != after:
            yield f"{name} {before} → {after}"


def same_to_the_bit(now: Entry, then: Entry) -> bool:
    """Return whether the conditions are such that the numbers have to be the same, bit for bit."""
    keys = ("versions", "platform", "switches", "commit", "dirty", *CONDITIONS)
    known = [{key: entry.context.get(key) for key in keys} for entry in (then, now)]
    certain = known[0]["deterministic"] and known[0]["versions"] and known[0]["dirty"] is False
    return bool(certain) and digest(known[0]) == digest(known[1])
