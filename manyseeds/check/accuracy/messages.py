"""The wording of the accuracy layer: one finding for each quantity, and the notes of the layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from manyseeds.check.accuracy.comparability import different_conditions, must_be_identical
from manyseeds.check.accuracy.intervals import SeedComparison, correlation
from manyseeds.check.accuracy.judgement import FAMILY_LEVEL, Judgement, subject_to_chance
from manyseeds.check.accuracy.quantities import QuantityComparison
from manyseeds.check.findings import Direction, Finding
from manyseeds.statistics.power import POWER
from manyseeds.statistics.verdict import LEAST_PAIRS
from manyseeds.suite.claims import ClaimMetric, less_is_better


def finding_of(
    compared: QuantityComparison, judgement: Judgement, numerics_agree: Mapping[str, bool]
) -> Finding:
    """Return the finding about a quantity.

    `numerics_agree` says by backend whether its float64 trajectories are unchanged, if known.
    """
    changed = judgement.decision == "changed"
    without_values = not compared.values.seeds
    return Finding(
        row=compared.now.row.part(compared.quantity),
        state="missing" if without_values else judgement.decision,
        direction=_direction(compared, judgement.effect) if changed else "",
        size=judgement.effect,
        low=judgement.low,
        high=judgement.high,
        unit=_unit(compared.metric),
        least_effect=compared.values.least_effect,
        message=_message(compared, judgement),
        reason=_reason(compared, numerics_agree) if changed else "",
        then=compared.then.versions,
        now=compared.now.versions,
        fails=changed or without_values,
    )


def _unit(metric: str) -> str:
    return "nats" if metric.endswith("loss") else "share"


def _direction(compared: QuantityComparison, effect: float) -> Direction:
    spread_or_share = compared.quantity != compared.metric
    less = spread_or_share or less_is_better(cast(ClaimMetric, compared.metric))
    return "worse" if (effect > 0) == less else "better"


def _message(compared: QuantityComparison, judgement: Judgement) -> str:
    values = compared.values
    if values.identical and judgement.decision == "unchanged":
        return f"identical in all {values.seeds} seeds" + _lost(compared)
    if not values.seeds:
        return "no seed has a value on both sides"
    text = f"{_sides(compared)}, {_sample(values)}{_lost(compared)}"
    if math.isnan(judgement.low):
        return f"{text}: at least {LEAST_PAIRS} seeds are needed"
    effect, low, high = (
        _signed(value, compared) for value in (judgement.effect, judgement.low, judgement.high)
    )
    text += f": {effect} [{low}, {high}]"
    least = _plain(values.least_effect, compared)
    if judgement.decision == "unchanged":
        return f"{text}, within ± {least}"
    if judgement.decision == "changed":
        return f"{text}, beyond ± {least} at a level corrected for all comparisons"
    seeds = _seeds_needed(judgement.seeds_needed)
    return f"{text}, neither within ± {least} nor certainly beyond; {seeds}"


def _seeds_needed(seeds: float) -> str:
    count = f"about {seeds:.0f}" if math.isfinite(seeds) else "more than a million"
    return f"{count} seeds would tell (power {POWER:.0%})"


def _sides(compared: QuantityComparison) -> str:
    """Return the means on both sides: "76.10 % → 76.12 %"."""
    before, after = (
        _plain(float(side.mean()), compared) for side in (compared.values.then, compared.values.now)
    )
    spread = compared.quantity.endswith(" spread")
    return f"{'mean deviation from the median ' if spread else ''}{before} → {after}"


def _sample(values: SeedComparison) -> str:
    """Return how many seeds were compared, and how."""
    if values.kind == "paired":
        coefficient = correlation(values.then, values.now)
        suffix = "" if math.isnan(coefficient) else f" (correlation {coefficient:.2f})"
        return f"{values.seeds} seeds paired{suffix}"
    counts = f"{len(values.then)} and {len(values.now)} seeds"
    return f"{counts} unpaired" if values.kind == "unpaired" else f"of {counts}"


def _lost(compared: QuantityComparison) -> str:
    return f", {compared.lost} not on both sides" if compared.lost else ""


def _plain(value: float, compared: QuantityComparison) -> str:
    return f"{value:.4f}" if _unit(compared.metric) == "nats" else f"{100 * value:.2f} %"


def _signed(value: float, compared: QuantityComparison) -> str:
    return f"{value:+.4f}" if _unit(compared.metric) == "nats" else f"{100 * value:+.2f}"


def _reason(compared: QuantityComparison, numerics_agree: Mapping[str, bool]) -> str:
    """Return likely causes of a change: different conditions, and whether the numerics changed."""
    parts = [*different_conditions(compared.now, compared.then)]
    agree = numerics_agree.get(compared.now.backend)
    if agree is not None:
        parts.append(
            "float64 trajectories still agree: look at float32, kernels and code that the parity "
            "kit does not cover"
            if agree
            else "float64 trajectories have changed too: see the numerics layer"
        )
    return "; ".join(parts)


def notes_about(compared: Sequence[QuantityComparison]) -> Iterator[str]:
    """Yield remarks about all comparisons: their correction, determinism and conditions."""
    if not compared:
        return
    uncertain = len(subject_to_chance([quantity.values for quantity in compared]))
    identical = sum(quantity.values.identical for quantity in compared)
    yield (
        f"{len(compared)} comparisons, {identical} of identical values; intervals are corrected "
        f"for the {uncertain} others (Holm; at most {1 - FAMILY_LEVEL:.0%} of unchanged checks "
        "raise a false alarm)"
    )
    unstable = sorted(
        {quantity.now.backend for quantity in compared if _not_deterministic(quantity)}
    )
    if unstable:
        yield (
            f"{', '.join(unstable)}: numbers differ although code, versions, machine, threads and "
            "lanes are the same: something is not deterministic"
        )
    backends: dict[str, set[str]] = {}
    for quantity in compared:
        for condition in different_conditions(quantity.now, quantity.then):
            backends.setdefault(condition, set()).add(quantity.now.backend)
    for condition, names in backends.items():
        yield f"different conditions ({', '.join(sorted(names))}): {condition}"


def _not_deterministic(compared: QuantityComparison) -> bool:
    values = compared.values
    differs = values.kind == "paired" and not values.identical
    return differs and must_be_identical(compared.now, compared.then)
