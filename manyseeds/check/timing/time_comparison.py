"""Compares one timed subject with the baseline: whether it is comparable, and has changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.findings import Finding
from manyseeds.check.timing.measurement import WAITING
from manyseeds.check.timing.normalisation import normalised
from manyseeds.check.timing.ratios import (
    RatioEstimate,
    TimedSides,
    can_decide,
    processes_to_settle,
)
from manyseeds.check.timing.workloads import COMPILE, MEMORY
from manyseeds.errors import RunError
from manyseeds.statistics.family import level_among

Floats = NDArray[np.float64]

FLOOR = 0.10
"""The least share by which something is faster or slower."""

WIDER = {COMPILE: 0.25, WAITING: 0.25}
"""Larger floors, for subjects that scatter too widely for `FLOOR`."""

BUSY = 0.1
"""The machine counts as busy if more than this share of the time was spent waiting for a core."""

_CONDITIONS = ("device", "machine", "threads", "clock", "programs")


@dataclass(frozen=True)
class TimeComparison:
    """An entry beside the baseline's.

    Attributes
    ----------
    sides
        The samples of both.
    floor
        The least share that counts.
    differing
        The conditions that differ between them.
    """

    now: BaselineEntry
    then: BaselineEntry
    sides: TimedSides
    floor: float
    differing: tuple[str, ...]

    @classmethod
    def of(cls, now: BaselineEntry, then: BaselineEntry, floor: float) -> TimeComparison:
        """Return the comparison of two entries.

        Raises
        ------
        RunError
            Samples are not numbers above 0.
        """
        preparations = now.context.get("preparations", 1), then.context.get("preparations", 1)
        return cls(
            now,
            then,
            sides=TimedSides.of(
                _normalised_as_then(now, then), _samples(then, "in the baseline"), preparations
            ),
            floor=max(floor, WIDER.get(now.subject, 0.0)),
            differing=_differing(now, then),
        )

    @property
    def elsewhere(self) -> bool:
        """Whether the baseline was made on another machine, or in another way."""
        return not {*_CONDITIONS}.isdisjoint(self.differing)

    def judge(self, level: float) -> Finding:
        """Return the finding, decided by an interval of this coverage."""
        ratio = self.sides.ratio(level)
        if not can_decide(len(self.sides.now), len(self.sides.then), level):
            return self._finding(ratio, state="cannot tell", message=self._too_few(level))
        most = math.log1p(self.floor)
        low, high = math.log(ratio.low), math.log(ratio.high)
        change = _change(ratio, self.now.subject)
        if low > most or high < -most:
            return self._finding(
                ratio,
                state="changed",
                direction="worse" if low > 0 else "better",
                message=f"{change}: {self._amounts()}",
                fails=True,
            )
        if -most < low and high < most:
            message = f"{change}, within {self.floor:.0%}"
            return self._finding(ratio, state="unchanged", message=message)
        message = f"{change}, {self._undecided(ratio, level)}"
        return self._finding(ratio, state="cannot tell", message=message)

    def not_comparable(self) -> Finding:
        """Return the finding for differing conditions, with the size of the change all the same."""
        return self._finding(
            self.sides.ratio(level_among(1)),
            state="not comparable",
            message="; ".join(self._difference(name) for name in self.differing),
            fails="question" in self.differing,
        )

    def _finding(self, ratio: RatioEstimate, **about: Any) -> Finding:
        finding = Finding(
            self.now.row,
            size=ratio.value,
            low=ratio.low,
            high=ratio.high,
            unit="ratio",
            least_effect=self.floor,
            then=self.then.versions,
            now=self.now.versions,
            **about,
        )
        if finding.state in ("changed", "cannot tell"):
            return replace(finding, reason=self._changed_yardstick())
        return finding

    def _difference(self, name: str) -> str:
        """Return a condition on both sides, in words."""
        if name == "question":
            return "the baseline timed another workload: accept a new one"
        if name == "load":
            return (
                f"the cores were busy with something else for {_load(self.then):.0%} of the time "
                f"then and {_load(self.now):.0%} now: measure on an idle machine"
            )
        then, now = (side.context.get(name) for side in (self.then, self.now))
        return f"another {name}: {_own_values(then, now)} then, {_own_values(now, then)} now"

    def _too_few(self, level: float) -> str:
        least = next(n for n in range(2, 100) if can_decide(n, n, level))
        counts = f"{len(self.sides.now)} processes now and {len(self.sides.then)} then"
        return f"{counts} are too few to decide anything at {level:.2%}: take {least} each"

    def _undecided(self, ratio: RatioEstimate, level: float) -> str:
        needed = processes_to_settle(ratio, self.floor, level)
        count = f"{needed:.0f}" if math.isfinite(needed) else "more than 1,000"
        return (
            f"and {self.floor:.0%} lies within the interval: "
            f"it takes {count} processes each, of {self.sides.now.shape[1]} rounds"
        )

    def _amounts(self) -> str:
        """Return the typical amounts on both sides, in their unit."""
        if self.now.subject == MEMORY:
            then, now = (np.median(s) / 2**20 for s in (self.sides.then, self.sides.now))
            return f"{then:.0f} → {now:.0f} MiB"
        if "cpu" not in self.now.arrays:
            return f"{np.median(self.sides.then):.2f} → {np.median(self.sides.now):.2f}"
        clock = self.now.context["clock"]
        then, now = (1e3 * np.median(side.arrays[clock]) for side in (self.then, self.now))
        return f"{then:.3g} → {now:.3g} ms as clocked"

    def _changed_yardstick(self) -> str:
        """Return the packages of the yardstick that have changed, in words; "" if none has."""
        if "yardstick" not in self.now.arrays or self.now.context["clock"] != "cpu":
            return ""
        changed = [
            f"{name} {self.then.versions[name]} → {self.now.versions[name]}"
            for name in ("numpy", "python")
            if self.then.versions.get(name) != self.now.versions.get(name)
            and name in self.then.versions
            and name in self.now.versions
        ]
        return f"the yardstick itself depends on {', '.join(changed)}" if changed else ""


def _differing(now: BaselineEntry, then: BaselineEntry) -> tuple[str, ...]:
    """Return the conditions that differ."""
    differing = [
        name
        for name in (*_CONDITIONS, "question")
        if now.context.get(name) != then.context.get(name)
    ]
    if differing[:2] == ["device", "machine"] and now.context.get("clock") == "cpu":
        del differing[0]  # on a CPU both name the processor
    if now.subject != MEMORY and max(_load(now), _load(then)) > BUSY:
        differing.append("load")
    return tuple(differing)


def _change(ratio: RatioEstimate, subject: str) -> str:
    """Return a ratio in words: "12.0 % slower (10.5 to 13.5 %)"."""
    more, less = {MEMORY: ("more", "less"), WAITING: ("more", "less")}.get(
        subject, ("slower", "faster")
    )
    low, high = 100 * (ratio.low - 1), 100 * (ratio.high - 1)
    word = more if ratio.value >= 1 else less
    return f"{100 * abs(ratio.value - 1):.1f} % {word} ({low:+.1f} to {high:+.1f} %)"


def _load(entry: BaselineEntry) -> float:
    return float(entry.context.get("waited", 0.0))


def _own_values(condition: Any, other: Any) -> str:
    """Return a condition in words, without the values that the other side has, too."""
    if not isinstance(condition, Mapping) or not isinstance(other, Mapping):
        return str(condition)
    own = [key for key in sorted(condition) if condition[key] != other.get(key)]
    return ", ".join(f"{key} {condition[key]}" for key in own)


def _normalised_as_then(now: BaselineEntry, then: BaselineEntry) -> Floats:
    """Return the samples of now, normalised with the yardstick's weights of then."""
    samples = _samples(now, "measured now")
    weights, parts = then.arrays.get("weights"), now.arrays.get("yardstick")
    if weights is None or parts is None or parts.shape[-1:] != weights.shape:
        return samples
    return normalised(now.arrays["cpu"], parts, weights)


def _samples(entry: BaselineEntry, when: str) -> Floats:
    """Return an entry's samples, [processes, rounds].

    Raises
    ------
    RunError
        The samples do not have this shape, or are not numbers above 0.
    """
    samples = np.asarray(entry.arrays.get("samples", np.empty(0)), dtype=np.float64)
    if samples.ndim != 2 or not samples.size:
        raise RunError(
            f"{entry.row}: the samples {when} have the shape {samples.shape}, not "
            "[processes, rounds]. Measure again."
        )
    wrong = np.argwhere(~(np.isfinite(samples) & (samples > 0)))
    if len(wrong):
        process, round_ = wrong[0]
        raise RunError(
            f"{entry.row}: the samples {when} must be numbers above 0, but round {round_} of "
            f"process {process} is {samples[process, round_]}. Measure again."
        )
    return samples
