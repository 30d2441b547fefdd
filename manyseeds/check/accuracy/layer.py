"""The gate's second layer: the accuracy that seeds reach, how far they scatter, which diverge.

Every recipe on every backend is compared with its entry in the baseline: the mean of each metric
that has a least effect, the spread of the suite's own metric over the seeds, and the share of seeds
that diverged. How they are judged, together, is told in `manyseeds.check.accuracy.distributions`.

Seeds are paired wherever both sides have the same ones. That is valid whatever has changed: a seed
is one draw of the streams, the draws are independent, and the mean difference has no other truth
than the difference of means. Where the streams no longer say the same to both sides, the pairs are
no longer alike, and the interval is as wide as one of independent samples; never too narrow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyseeds.check.accuracy.comparable import (
    DIVERGED,
    OK,
    other_conditions,
    other_question,
    same_to_the_bit,
    seeds_of,
    undelivered,
)
from manyseeds.check.accuracy.distributions import (
    FAMILY_LEVEL,
    Comparison,
    Judged,
    Kind,
    correlation,
    deviations,
    in_question,
    judged,
)
from manyseeds.check.accuracy.scored import entries_from, entries_of, least_effects
from manyseeds.check.findings import Direction, Finding, LayerResult
from manyseeds.check.store import Baseline, Entry
from manyseeds.errors import RequestError
from manyseeds.ledger.ledger import Ledger
from manyseeds.statistics.bootstrap import Floats
from manyseeds.statistics.power import POWER
from manyseeds.statistics.verdict import LEAST_PAIRS
from manyseeds.suite.claims import less_is_better

__all__ = ["compare", "compare_runs", "entries_from", "entries_of", "least_effects", "suite_file"]

Then = Baseline | Callable[[str, str], Entry | None]
"""The baseline, or what finds the entry of a backend and a subject."""

LEAST_SHARE = 0.1
"""The least change of the share of diverged seeds that counts."""


def suite_file() -> Path:
    """Return the suite that the gate trains where no other is named."""
    return Path(__file__).with_name("gate.toml")


def compare(
    now: Sequence[Entry],
    then: Then,
    *,
    promised: Iterable[str] = (),
    numerics: Mapping[str, bool] | None = None,
) -> LayerResult:
    """Compare what was trained now with the baseline.

    Parameters
    ----------
    now
        From `entries_of`.
    then
        The baseline.
    promised
        Rows of the baseline that had to be trained again, `Baseline.rows`: one that was not is
        missing.
    numerics
        By backend, whether all its float64 trajectories still agree with the baseline's, for the
        likely cause of a change; a backend that is not there was not looked at.

    Returns
    -------
    LayerResult
        A finding "SUITE/RECIPE/METRIC" for every comparison (with the case after the recipe, if it
        has one); one "SUITE/RECIPE" where nothing can be compared, which always fails.
    """
    start = time.perf_counter()
    find = _finder(then)
    pairs = [(entry, find(entry.backend, entry.subject)) for entry in now]
    return _result(pairs, [*_absent(now, promised)], numerics or {}, start, same_seeds=True)


def compare_runs(left: Ledger, right: Ledger) -> LayerResult:
    """Compare two runs of a suite, as `compare` does: `right` is now, `left` then.

    Seeds that both have are paired; if those are fewer than `LEAST_PAIRS`, the seeds of either are
    taken for independent samples.

    Raises
    ------
    RequestError
        They are of different suites, or this version of manyseeds no longer reads one of them.
    """
    start = time.perf_counter()
    if left.plan.suite != right.plan.suite:
        raise RequestError(
            f"{left.folder.name} is of suite {left.plan.suite!r}, {right.folder.name} of "
            f"{right.plan.suite!r}: name two runs of one suite"
        )
    before = {(entry.backend, entry.subject): entry for entry in entries_of(left)}
    now = entries_of(right)
    pairs = [(entry, before.get((entry.backend, entry.subject))) for entry in now]
    absent = [*_absent(now, [entry.row for entry in before.values()])]
    notes = [note for note in (_forms(left, right),) if note]
    return _result(pairs, absent, {}, start, same_seeds=False, notes=notes)


Pair = tuple[Entry, Entry | None]


@dataclass(frozen=True)
class _Asked:
    """A comparison, and what a finding needs to tell of it beside what came out.

    Attributes
    ----------
    quantity
        "test_accuracy", "test_accuracy spread", "diverged".
    metric
        Whose unit it is in; "" of shares.
    lost
        Seeds of either side that could not be compared.
    """

    now: Entry
    then: Entry
    quantity: str
    metric: str
    comparison: Comparison
    lost: int = 0


def _result(
    pairs: Sequence[Pair],
    findings: list[Finding],
    numerics: Mapping[str, bool],
    start: float,
    *,
    same_seeds: bool,
    notes: Sequence[str] = (),
) -> LayerResult:
    asked: list[_Asked] = []
    for now, then in pairs:
        refusal = _refused(now, then, same_seeds=same_seeds)
        if refusal is None and then is not None:
            asked += _asked(now, then)
        elif refusal is not None:
            findings.append(refusal)
    if not pairs and not findings:
        told = "there is no row to compare: nothing was trained, or not with the suite's streams"
        findings.append(_missing("all", "all", told))
    answers = judged([one.comparison for one in asked])
    found = [_finding(one, answer, numerics) for one, answer in zip(asked, answers, strict=True)]
    return LayerResult(
        "accuracy",
        (*findings, *found),
        comparisons=len(asked),
        seconds=time.perf_counter() - start,
        notes=(*notes, *_notes(asked)),
    )


def _finder(then: Then) -> Callable[[str, str], Entry | None]:
    if isinstance(then, Baseline):
        return lambda backend, subject: then.entry("accuracy", backend, subject)
    return then


def _absent(now: Sequence[Entry], promised: Iterable[str]) -> Iterator[Finding]:
    for row in sorted(set(promised) - {entry.row for entry in now}):
        _, backend, subject = row.split("/", 2)
        yield _missing(backend, subject, "the baseline has it; it was not trained now")


def _missing(backend: str, subject: str, told: str, **also: Any) -> Finding:
    return Finding("accuracy", backend, subject, "missing", told=told, fails=True, **also)


def _refused(now: Entry, then: Entry | None, *, same_seeds: bool) -> Finding | None:
    """Return why two entries cannot be compared, or None."""
    versions: dict[str, Any] = {"now": now.versions} | ({"then": then.versions} if then else {})
    lost = undelivered(now)
    if lost:
        return _missing(now.backend, now.subject, lost, **versions)
    if then is None:
        told = "the baseline has no entry: accept one with `manyseeds baseline --accept`"
        return _missing(now.backend, now.subject, told, **versions)
    differs = other_question(now, then, same_seeds=same_seeds)
    if differs:
        return Finding(
            *("accuracy", now.backend, now.subject, "not comparable"),
            told=f"the baseline was made for another question: {differs}",
            fails=True,
            **versions,
        )
    return None


# What is compared.


def _asked(now: Entry, then: Entry) -> Iterator[_Asked]:
    """Yield every comparison of two entries."""
    primary = now.context["primary"]
    for metric, least in now.context["least_effects"].items():
        if metric in now.arrays or metric in then.arrays:
            yield _compared(now, then, metric, least)
            spread = _compared(now, then, metric, least, spread=True)
            if metric == primary and spread.comparison.seeds:
                yield spread
    diverged = [_diverged(entry) for entry in (then, now)]
    if any(each.any() for each in diverged):
        comparison = Comparison("shares", diverged[0], diverged[1], LEAST_SHARE)
        yield _Asked(now, then, "diverged", "", comparison)


def _diverged(entry: Entry) -> Floats:
    """Return 1 for each delivered seed that diverged, else 0, in the order of the seeds."""
    status = entry.arrays["status"][np.argsort(seeds_of(entry))]
    delivered = status[(status == OK) | (status == DIVERGED)]
    found: Floats = (delivered == DIVERGED).astype(np.float64)
    return found


def _compared(
    now: Entry, then: Entry, metric: str, least: float, *, spread: bool = False
) -> _Asked:
    """Pair a metric by seed, or, with too few seeds in common, take all there are.

    A diverged seed counts as guessing; it says nothing of the spread of the others.
    """
    sides = [_known(entry, metric, diverged=not spread) for entry in (then, now)]
    shared = sorted(sides[0].keys() & sides[1].keys())
    most = max(len(seeds_of(now)), len(seeds_of(then)))
    kind: Kind = "paired"
    values = [np.array([side[seed] for seed in shared], dtype=np.float64) for side in sides]
    common = np.intersect1d(seeds_of(now), seeds_of(then))
    if len(common) < LEAST_PAIRS:
        kind = "unpaired"
        values = [np.array(list(side.values()), dtype=np.float64) for side in sides]
    if spread:
        values = [deviations(each) for each in values]
    comparison = Comparison(kind, values[0], values[1], least)
    quantity = f"{metric} spread" if spread else metric
    return _Asked(now, then, quantity, metric, comparison, lost=most - comparison.seeds)


def _known(entry: Entry, metric: str, *, diverged: bool) -> dict[int, float]:
    """Return the finite values of a metric by seed."""
    status = entry.arrays["status"]
    values = entry.arrays.get(metric, np.full(len(status), np.nan))
    wanted = np.isfinite(values) & ((status == OK) | (diverged & (status == DIVERGED)))
    return dict(zip(seeds_of(entry)[wanted].tolist(), values[wanted].tolist(), strict=True))


# What is told.


def _finding(asked: _Asked, answer: Judged, numerics: Mapping[str, bool]) -> Finding:
    changed = answer.outcome == "changed"
    gone = not asked.comparison.seeds
    return Finding(
        layer="accuracy",
        backend=asked.now.backend,
        subject=f"{asked.now.subject}/{asked.quantity}",
        state="missing" if gone else answer.outcome,
        direction=_direction(asked, answer.effect) if changed else "",
        size=answer.effect,
        low=answer.low,
        high=answer.high,
        unit=_unit(asked.metric),
        told=_told(asked, answer),
        reason=_reason(asked, numerics) if changed else "",
        then=asked.then.versions,
        now=asked.now.versions,
        fails=changed or gone,
    )


def _unit(metric: str) -> str:
    return "nats" if metric.endswith("loss") else "share"


def _direction(asked: _Asked, effect: float) -> Direction:
    less = asked.quantity != asked.metric or less_is_better(asked.metric)  # type: ignore[arg-type]
    return "worse" if (effect > 0) == less else "better"


def _told(asked: _Asked, answer: Judged) -> str:
    comparison = asked.comparison
    if comparison.identical and answer.outcome == "unchanged":
        return f"identical in all {comparison.seeds} seeds" + _lost(asked)
    if not comparison.seeds:
        return "no seed has a value on both sides"
    text = f"{_sides(asked)}, {_how(comparison)}{_lost(asked)}"
    if math.isnan(answer.low):
        return f"{text}: at least {LEAST_PAIRS} seeds are needed"
    size = f"{_signed(answer.effect, asked)} [{_signed(answer.low, asked)}, "
    text += f": {size}{_signed(answer.high, asked)}]"
    least = _plain(comparison.least_effect, asked)
    if answer.outcome == "unchanged":
        return f"{text}, within ± {least}"
    if answer.outcome == "changed":
        return f"{text}, beyond ± {least} at a level corrected for all comparisons"
    return f"{text}, neither within ± {least} nor surely beyond; {_needed(answer.seeds_needed)}"


def _needed(seeds: float) -> str:
    count = f"about {seeds:.0f} seeds" if math.isfinite(seeds) else "more than a million seeds"
    return f"{count} would tell (power {POWER:.0%})"


def _sides(asked: _Asked) -> str:
    """Name what is compared on both sides, "76.10 % → 76.12 %"."""
    sides = (asked.comparison.then, asked.comparison.now)
    before, after = (_plain(float(side.mean()), asked) for side in sides)
    what = "deviation from the median, mean " if asked.quantity.endswith(" spread") else ""
    return f"{what}{before} → {after}"


def _how(comparison: Comparison) -> str:
    if comparison.kind == "paired":
        found = correlation(comparison.then, comparison.now)
        known = "" if math.isnan(found) else f" (correlation {found:.2f})"
        return f"{comparison.seeds} seeds paired{known}"
    counts = f"{len(comparison.then)} and {len(comparison.now)} seeds"
    return f"{counts} unpaired" if comparison.kind == "unpaired" else f"of {counts}"


def _lost(asked: _Asked) -> str:
    return f", {asked.lost} not on both sides" if asked.lost else ""


def _plain(value: float, asked: _Asked) -> str:
    return f"{value:.4f}" if _unit(asked.metric) == "nats" else f"{100 * value:.2f} %"


def _signed(value: float, asked: _Asked) -> str:
    return f"{value:+.4f}" if _unit(asked.metric) == "nats" else f"{100 * value:+.2f}"


def _reason(asked: _Asked, numerics: Mapping[str, bool]) -> str:
    """Say what may have caused a change: other conditions, and whether the numerics changed."""
    parts = [*other_conditions(asked.now, asked.then)]
    agree = numerics.get(asked.now.backend)
    if agree is not None:
        parts.append(
            "float64 trajectories still agree: look at float32, kernels and what parity omits"
            if agree
            else "float64 trajectories have changed too: see the numerics layer"
        )
    return "; ".join(parts)


def _notes(asked: Sequence[_Asked]) -> Iterator[str]:
    """Yield what holds for the whole layer."""
    if not asked:
        return
    open_ = len(in_question([one.comparison for one in asked]))
    identical = sum(one.comparison.identical for one in asked)
    yield (
        f"{len(asked)} comparisons, {identical} of identical values; intervals are corrected for "
        f"the {open_} others (Holm, {1 - FAMILY_LEVEL:.0%} of checks by chance)"
    )
    unstable = sorted(
        {
            one.now.backend
            for one in asked
            if one.comparison.kind == "paired"
            and not one.comparison.identical
            and same_to_the_bit(one.now, one.then)
        }
    )
    if unstable:
        yield (
            f"{', '.join(unstable)}: numbers differ although code, versions, machine, threads and "
            "lanes are the same: something is not deterministic"
        )
    elsewhere: dict[str, set[str]] = {}
    for one in asked:
        for what in other_conditions(one.now, one.then):
            elsewhere.setdefault(what, set()).add(one.now.backend)
    for what, backends in elsewhere.items():
        yield f"other conditions ({', '.join(sorted(backends))}): {what}"


def _forms(left: Ledger, right: Ledger) -> str:
    """Say whether two runs are of different forms of their suite; "" if not."""
    forms = ["quick" if ledger.plan.quick else "full" for ledger in (left, right)]
    if forms[0] != forms[1]:
        return f"the {forms[0]} form of the suite against the {forms[1]} one"
    if left.plan.suite_sha256 != right.plan.suite_sha256:
        return "the suite's text was edited between the runs"
    return ""
