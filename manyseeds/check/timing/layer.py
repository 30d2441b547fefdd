"""The time layer of the gate: measures every backend, and says what is faster or slower than then.

    entries = measure(["pytorch", "jax"])
    result = compare(entries, Baseline(FOLDER))

On a CPU seconds are those of the CPU, in multiples of a yardstick beside them: neither a neighbour
on the cores nor a machine that has slowed down is a finding. On a GPU they are of the wall.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.compiled_programs import compiled_folder
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Device, Settings
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.store import Baseline, Entry
from manyseeds.check.timing.clock_process import COMPILATIONS, PREPARATIONS
from manyseeds.check.timing.clocks import PROGRAM, Answer, answers
from manyseeds.check.timing.multiples import in_multiples, weights_of
from manyseeds.check.timing.ratios import (
    Ratio,
    Sides,
    can_decide,
    processes_to_settle,
)
from manyseeds.check.timing.workloads import COMPILE, COMPILED, MEMORY, WORKLOADS
from manyseeds.errors import RunError
from manyseeds.processes.host import idle_cores
from manyseeds.statistics.family import level_among

Floats = NDArray[np.float64]

WAITING = "waiting"
"""A subject: wall seconds for each of the CPU's, over all others. A step that sleeps, or waits for
a lock or a disk, is slower by the wall alone."""

STEPS = "all steps"
"""A subject: the geometric mean over the steps of all kinds, round by round. What scatters from
kind to kind cancels, and a slowdown that all of them share is seen where none alone would tell."""

SUBJECTS = (STEPS, *WORKLOADS, COMPILE, MEMORY, WAITING)

PROCESSES, ROUNDS = 4, 40
"""Of each backend, and of a process."""

THOROUGH_PROCESSES = 3 * PROCESSES
"""Of each backend for an acceptance, with which many a check is compared."""

FLOOR = 0.10
"""The least share by which something is faster or slower."""

WIDER = {COMPILE: 0.25, WAITING: 0.25}
"""Subjects whose spread is too wide for that."""

BUSY = 0.1
"""A share of the time waited for a core, beyond which seconds are those of a busy machine."""

_CONDITIONS = ("device", "machine", "threads", "clock", "programs")


def measure(
    backends: Sequence[str],
    *,
    device: Device = "cpu",
    threads: int = 1,
    processes: int = PROCESSES,
    rounds: int = ROUNDS,
    beside: int | None = None,
    program: Sequence[str] = PROGRAM,
) -> list[Entry]:
    """Time every subject on every backend.

    Parameters
    ----------
    backends
        Their names.
    device, threads
        As in `Settings`. With one thread CPU seconds are those of the work; threads that wait for
        each other spend more.
    processes, rounds
        Of each backend; measurements of each subject in each of them.
    beside
        How many processes are at work at once; None: as many as cores are idle, one on a GPU. What
        shares a core finds its caches emptied, and is slower in seconds of the CPU, too.
    program
        The module of the worker that answers a request, and its arguments, for tests.

    Returns
    -------
    list of Entry
        With the arrays "samples", [processes, rounds]; of those that are seconds "cpu" and "wall",
        as many, "yardstick", [processes, rounds, parts], and "weights", [parts]. Memory has one
        round, and no first process. One that could not be measured has "failed" in its context.

    Raises
    ------
    RequestError
        A backend is not installed, or has no such device.
    """
    at_once = beside or (idle_cores() if device == "cpu" else 1)
    settings = Settings(device=device, threads=threads)
    found = answers(backends, SUBJECTS, settings, processes, rounds, at_once, program)
    return [entry for backend in backends for entry in _entries(backend, found[backend], threads)]


def _entries(backend: str, found: Sequence[Answer], threads: int) -> list[Entry]:
    """Return the entries of a backend, from the answers of its processes."""
    failed = {subject: why for answer in found for subject, why in answer.failed.items()}
    environment = next((each.environment for each in found if each.environment), {})
    gpu = environment.get("device", "cpu") != "cpu"
    context: dict[str, Any] = {
        "versions": dict(environment.get("versions", {})),
        "device": environment.get("device_name", ""),
        "machine": {"processor": processor(), "cores": os.cpu_count()},
        "threads": threads,
        "clock": "wall" if gpu else "cpu",
        "programs": "made anew" if compiled_folder() is None else "kept",
    }
    arrays = {
        subject: _of_seconds([each.readings[subject] for each in found], gpu, _shares(subject))
        for subject in (*WORKLOADS, COMPILE)
        if subject not in failed and all(subject in each.readings for each in found)
    }
    steps = [name for name, workload in WORKLOADS.items() if workload.kind == "step"]
    if arrays.keys() >= set(steps):
        arrays[STEPS] = _together([arrays[name] for name in steps])
    if MEMORY not in failed and len(found) > 1:
        # Who has compiled what the next ones load has had more, and not given all of it back.
        arrays[MEMORY] = {"samples": np.array([[float(each.memory)] for each in found[1:]])}
    context["waited"] = _waited(list(arrays.values()))
    if WAITING not in failed and not gpu:
        arrays[WAITING] = {"samples": _waiting([arrays[s] for s in WORKLOADS if s in arrays])}
    entries = {
        subject: Entry("time", backend, subject, context | _about(subject), numbers)
        for subject, numbers in arrays.items()
    }
    for subject, why in failed.items():
        about = context | _about(subject) | {"failed": why}
        entries[subject] = Entry("time", backend, subject, about, {})
    return [entries[subject] for subject in SUBJECTS if subject in entries]


def _waited(arrays: Sequence[Mapping[str, Floats]]) -> float:
    """Return the share of the time in which the yardstick was ready to run and did not."""
    ratios = [a["yardstick waiting"].ravel() for a in arrays if "yardstick waiting" in a]
    return float(1 - 1 / np.mean(np.concatenate(ratios))) if ratios else 0.0


def _about(subject: str) -> dict[str, Any]:
    workload = COMPILED if subject == COMPILE else WORKLOADS.get(subject)
    parts = [each.question for each in WORKLOADS.values()]
    if subject == MEMORY:
        parts.append("without mapped files")
    return {
        "question": workload.question if workload else "-".join(sorted(set(parts))),
        "preparations": _shares(subject),
    }


def _shares(subject: str) -> int:
    """Return how many preparations share the rounds of a process."""
    return {COMPILE: COMPILATIONS, MEMORY: 1}.get(subject, PREPARATIONS)


def _of_seconds(readings: Sequence[Any], gpu: bool, preparations: int) -> dict[str, Floats]:
    """Return the arrays of a subject, from readings [processes, rounds, 2 parts + 1, 2]."""
    table = np.array(readings, dtype=np.float64)
    parts = table.shape[2] // 2
    own, beside = table[..., parts, :], np.sqrt(table[..., :parts, :] * table[..., parts + 1 :, :])
    found = {"cpu": own[..., 0], "wall": own[..., 1]}
    if gpu:
        return found | {"samples": found["wall"]}
    return (
        found
        | _in_multiples(found["cpu"], beside[..., 0], preparations)
        | {"yardstick waiting": beside[..., 1].sum(axis=-1) / beside[..., 0].sum(axis=-1)}
    )


def _in_multiples(own: Floats, yardstick: Floats, preparations: int) -> dict[str, Floats]:
    weights = weights_of(own, yardstick, preparations)
    samples = in_multiples(own, yardstick, weights)
    return {"samples": samples, "yardstick": yardstick, "weights": weights}


def _together(steps: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Return the arrays of all steps: geometric means, round by round."""

    def mean(name: str) -> Floats:
        typical: Floats = np.exp(np.mean([np.log(arrays[name]) for arrays in steps], axis=0))
        return typical

    found = {"cpu": mean("cpu"), "wall": mean("wall")}
    if "yardstick" not in steps[0]:
        return found | {"samples": mean("samples")}
    return found | _in_multiples(found["cpu"], mean("yardstick"), PREPARATIONS)


def _waiting(arrays: Sequence[Mapping[str, Floats]]) -> Floats:
    """Return wall seconds for each of the CPU's, in multiples of the yardstick's."""
    each = [a["wall"] / a["cpu"] / a["yardstick waiting"] for a in arrays]
    found: Floats = np.median(each, axis=0)
    return found


def compare(
    now: Sequence[Entry], baseline: Baseline, *, floor: float = FLOOR, seconds: float = 0.0
) -> LayerResult:
    """Compare entries with those of the baseline.

    A ratio has changed if its whole interval lies beyond the floor, in either direction, and is
    unchanged if it lies within. All comparisons are judged together, by Holm's step-down.

    Parameters
    ----------
    now
        Of `measure`.
    baseline
        Accepted earlier. What it has of these backends and is not among them is missing.
    floor
        The least ratio that counts is 1 + floor, or its inverse; `WIDER` has subjects where it
        is more.
    seconds
        What measuring took.

    Raises
    ------
    RunError
        Samples are not numbers above 0.
    """
    started = perf_counter()
    found: dict[str, Finding] = {}
    comparisons: dict[str, Comparison] = {}
    for entry in now:
        then = baseline.entry("time", entry.backend, entry.subject)
        if missing := _why_missing(entry, then):
            found[entry.row] = _finding(entry, then, state="missing", told=missing, fails=True)
        elif then is not None:
            comparisons[entry.row] = Comparison.of(entry, then, floor)
    found |= _undelivered(now, baseline)
    same = {row: each for row, each in comparisons.items() if not each.differing}
    found |= {row: each.elsewhere() for row, each in comparisons.items() if each.differing}
    found |= _judged(same)
    order = [entry.row for entry in now]
    order += [row for row in found if row not in order]
    took = seconds + perf_counter() - started
    notes = _notes(comparisons.values())
    return LayerResult("time", tuple(found[row] for row in order), len(same), took, notes)


@dataclass(frozen=True)
class Comparison:
    """An entry beside that of the baseline.

    Attributes
    ----------
    sides
        The samples of both.
    floor
        The least share that counts.
    differing
        Conditions under which they were made that are not the same.
    """

    now: Entry
    then: Entry
    sides: Sides
    floor: float
    differing: tuple[str, ...]

    @classmethod
    def of(cls, now: Entry, then: Entry, floor: float) -> Comparison:
        """Put them side by side; refuse samples that are not numbers above 0."""
        wider = max(floor, WIDER.get(now.subject, 0.0))
        differing = [
            name
            for name in (*_CONDITIONS, "question")
            if now.context.get(name) != then.context.get(name)
        ]
        if differing[:2] == ["device", "machine"] and now.context.get("clock") == "cpu":
            del differing[0]  # the processor is both
        if now.subject != MEMORY and max(_load(now), _load(then)) > BUSY:
            differing.append("load")
        preparations = now.context.get("preparations", 1), then.context.get("preparations", 1)
        sides = Sides.of(_weighed(now, then), _checked(then, "then"), preparations)
        return cls(now, then, sides, wider, tuple(differing))

    def judge(self, level: float) -> Finding:
        """Judge it by an interval of a coverage."""
        ratio = self.sides.ratio(level)
        most = math.log1p(self.floor)
        if not can_decide(len(self.sides.now), len(self.sides.then), level):
            return self._found(ratio, state="cannot tell", told=self._too_few(level))
        low, high = math.log(ratio.low), math.log(ratio.high)
        if low > most or high < -most:
            direction = "worse" if low > 0 else "better"
            told = f"{_change(ratio, self.now.subject)}: {self._amounts()}"
            return self._found(ratio, state="changed", direction=direction, told=told, fails=True)
        if -most < low and high < most:
            told = f"{_change(ratio, self.now.subject)}, within {self.floor:.0%}"
            return self._found(ratio, state="unchanged", told=told)
        return self._found(ratio, state="cannot tell", told=self._unsettled(ratio, level))

    def elsewhere(self) -> Finding:
        """Say what differs where the two cannot be compared, and show the size all the same."""
        ratio = self.sides.ratio(level_among(1))
        fails = "question" in self.differing
        why = "; ".join(self._condition(name) for name in self.differing)
        return self._found(ratio, state="not comparable", told=why, fails=fails)

    def _condition(self, name: str) -> str:
        if name == "question":
            return "the baseline timed something else: the workload is another; accept it anew"
        if name == "load":
            return (
                f"the cores were busy with something else for {_load(self.then):.0%} of the time "
                f"then and {_load(self.now):.0%} now: measure on an idle machine"
            )
        then, now = (each.context.get(name) for each in (self.then, self.now))
        return f"another {name}: {_besides(then, now)} then, {_besides(now, then)} now"

    def _too_few(self, level: float) -> str:
        least = next(n for n in range(2, 100) if can_decide(n, n, level))
        counts = f"{len(self.sides.now)} now and {len(self.sides.then)} then"
        return f"{counts} are too few processes to tell anything at {level:.2%}: take {least} each"

    def _unsettled(self, ratio: Ratio, level: float) -> str:
        needed = processes_to_settle(ratio, self.floor, level)
        often = f"{needed:.0f}" if math.isfinite(needed) else "more than 1,000"
        return (
            f"{_change(ratio, self.now.subject)}, and {self.floor:.0%} lies within the interval: "
            f"it takes {often} processes each, of {self.sides.now.shape[1]} rounds"
        )

    def _amounts(self) -> str:
        if self.now.subject == MEMORY:
            then, now = (np.median(s) / 2**20 for s in (self.sides.then, self.sides.now))
            return f"{then:.0f} → {now:.0f} MiB"
        if "cpu" not in self.now.arrays:
            return f"{np.median(self.sides.then):.2f} → {np.median(self.sides.now):.2f}"
        clock = self.now.context["clock"]
        then, now = (1e3 * np.median(each.arrays[clock]) for each in (self.then, self.now))
        return f"{then:.3g} → {now:.3g} ms as clocked"

    def _found(self, ratio: Ratio, **about: Any) -> Finding:
        finding = _finding(self.now, self.then, **about)
        reason = self._yardstick() if finding.state in ("changed", "cannot tell") else ""
        return replace(
            finding, size=ratio.value, low=ratio.low, high=ratio.high, unit="ratio", reason=reason
        )

    def _yardstick(self) -> str:
        """Say whether the yardstick itself may be another."""
        if "yardstick" not in self.now.arrays or self.now.context["clock"] != "cpu":
            return ""
        moved = [
            f"{name} {self.then.versions[name]} → {self.now.versions[name]}"
            for name in ("numpy", "python")
            if self.then.versions.get(name) != self.now.versions.get(name)
            and name in self.then.versions
            and name in self.now.versions
        ]
        return f"the yardstick is measured with {', '.join(moved)}, too" if moved else ""


def _judged(comparisons: Mapping[str, Comparison]) -> dict[str, Finding]:
    """Judge comparisons together: what is settled makes room for what is open (Holm 1979)."""
    found: dict[str, Finding] = {}
    open_ = list(comparisons)
    while open_:
        level = level_among(len(open_))
        found |= {row: comparisons[row].judge(level) for row in open_}
        left = [row for row in open_ if found[row].state == "cannot tell"]
        if len(left) == len(open_):
            break
        open_ = left
    return found


def _notes(comparisons: Iterable[Comparison]) -> tuple[str, ...]:
    """Say what to do about rows that were timed in another place."""
    elsewhere = sum(not {*_CONDITIONS}.isdisjoint(each.differing) for each in comparisons)
    if not elsewhere:
        return ()
    remedy = '`manyseeds baseline --accept --layer time --because "another machine"`'
    return (f"{elsewhere} rows have a baseline from elsewhere; make one here: {remedy}",)


def _why_missing(now: Entry, then: Entry | None) -> str:
    if "failed" in now.context:
        return f"could not be measured: {now.context['failed']}"
    if then is None:
        return "the baseline has no entry: accept one"
    if "failed" in then.context:
        return f"could not be measured for the baseline: {then.context['failed']}"
    return ""


def _undelivered(now: Sequence[Entry], baseline: Baseline) -> dict[str, Finding]:
    """Return findings for what the baseline has of these backends and was not measured now."""
    delivered = {entry.row for entry in now}
    found = {}
    for backend in sorted({entry.backend for entry in now}):
        for row in baseline.rows("time", backend):
            if row not in delivered:
                subject = row.split("/", 2)[2]
                then = baseline.entry("time", backend, subject)
                versions = then.versions if then else {}
                told = "the baseline has it, and it was not measured now"
                found[row] = Finding(
                    "time", backend, subject, "missing", told=told, then=versions, fails=True
                )
    return found


def _finding(now: Entry, then: Entry | None, **about: Any) -> Finding:
    versions = then.versions if then else {}
    return Finding("time", now.backend, now.subject, then=versions, now=now.versions, **about)


def _change(ratio: Ratio, subject: str) -> str:
    """Say a ratio in words: "12.0 % slower (10.5 to 13.5 %)"."""
    more, less = {MEMORY: ("more", "less"), WAITING: ("more", "less")}.get(
        subject, ("slower", "faster")
    )
    low, high = 100 * (ratio.low - 1), 100 * (ratio.high - 1)
    word = more if ratio.value >= 1 else less
    return f"{100 * abs(ratio.value - 1):.1f} % {word} ({low:+.1f} to {high:+.1f} %)"


def _load(entry: Entry) -> float:
    return float(entry.context.get("waited", 0.0))


def _besides(condition: Any, other: Any) -> str:
    """Say a condition, but what the other has, too."""
    if not isinstance(condition, Mapping) or not isinstance(other, Mapping):
        return str(condition)
    own = [key for key in sorted(condition) if condition[key] != other.get(key)]
    return ", ".join(f"{key} {condition[key]}" for key in own)


def _weighed(now: Entry, then: Entry) -> Floats:
    """Return the samples of now, in multiples of the yardstick as it was weighted then."""
    samples = _checked(now, "now")
    weights, parts = then.arrays.get("weights"), now.arrays.get("yardstick")
    if weights is None or parts is None or parts.shape[-1:] != weights.shape:
        return samples
    return in_multiples(now.arrays["cpu"], parts, weights)


def _checked(entry: Entry, when: str) -> Floats:
    """Return an entry's samples, or refuse them.

    Raises
    ------
    RunError
        They are no table [processes, rounds] of numbers above 0.
    """
    samples = np.asarray(entry.arrays.get("samples", np.empty(0)), dtype=np.float64)
    if samples.ndim != 2 or not samples.size:
        raise RunError(
            f"{entry.row}: the samples of {when} have the shape {samples.shape}, not "
            "[processes, rounds]. Measure again."
        )
    wrong = np.argwhere(~(np.isfinite(samples) & (samples > 0)))
    if len(wrong):
        process, round_ = wrong[0]
        raise RunError(
            f"{entry.row}: the samples of {when} are numbers above 0, but round {round_} of "
            f"process {process} is {samples[process, round_]}. Measure again."
        )
    return samples
