"""Measures the times of backends and turns them into entries.

On a CPU the samples are CPU seconds, normalised by a yardstick measured beside them: neither a
neighbour on the cores nor a machine that has slowed down counts as a change. On a GPU they are wall
seconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.compiled_programs import compiled_folder
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Device, Settings
from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.rows import Row
from manyseeds.check.timing.clock_process import COMPILATIONS, PREPARATIONS
from manyseeds.check.timing.clocks import PROGRAM, Answer, answers
from manyseeds.check.timing.normalisation import normalised, weights_of
from manyseeds.check.timing.workloads import COMPILE, COMPILED, MEMORY, WORKLOADS
from manyseeds.processes.host import idle_cores

Floats = NDArray[np.float64]

WAITING = "waiting"
"""A subject: wall seconds per CPU second, over all workloads. A step that sleeps, or waits for a
lock or a disk, is slower by the wall clock alone."""

STEPS = "all steps"
"""A subject: the geometric mean over the steps of all kinds, round by round. Scatter between kinds
cancels, and a slowdown that all of them share is seen even where none alone would show it."""

SUBJECTS = (STEPS, *WORKLOADS, COMPILE, MEMORY, WAITING)

PROCESSES, ROUNDS = 4, 40
"""Processes of each backend, and rounds of each process."""

THOROUGH_PROCESSES = 3 * PROCESSES
"""Processes of each backend for an acceptance; a check with fewer is compared with these."""


@dataclass(frozen=True)
class TimingOptions:
    """How backends are timed.

    Attributes
    ----------
    device, threads
        As in `Settings`. With one thread CPU seconds are those of the work; threads that wait for
        each other spend more.
    processes, rounds
        Processes of each backend; measurements of each subject in each process.
    at_once
        How many processes run at the same time; None is one per idle core, or one on a GPU. A
        process that shares a core finds the caches emptied, and is slower in CPU seconds, too.
    program
        The module of the worker that answers a request, and its arguments; tests replace it.
    """

    device: Device = "cpu"
    threads: int = 1
    processes: int = PROCESSES
    rounds: int = ROUNDS
    at_once: int | None = None
    program: Sequence[str] = PROGRAM


def measure(backends: Sequence[str], options: TimingOptions | None = None) -> list[BaselineEntry]:
    """Time every subject on every backend.

    Returns
    -------
    list of BaselineEntry
        With the array "samples", [processes, rounds]. Entries of seconds also have "cpu" and
        "wall", [processes, rounds], "yardstick", [processes, rounds, parts], and "weights",
        [parts]. Memory has one round, and no first process. An entry that could not be measured has
        "failed" in its context.

    Raises
    ------
    RequestError
        A backend is not installed, or has no such device.
    """
    options = options or TimingOptions()
    at_once = options.at_once or (idle_cores() if options.device == "cpu" else 1)
    settings = Settings(device=options.device, threads=options.threads)
    by_backend = answers(
        backends, SUBJECTS, settings, options.processes, options.rounds, at_once, options.program
    )
    return [
        entry
        for backend in backends
        for entry in _entries(backend, by_backend[backend], options.threads)
    ]


def _entries(backend: str, processes: Sequence[Answer], threads: int) -> list[BaselineEntry]:
    """Return the entries of a backend, from the answers of its processes."""
    failed = {subject: why for answer in processes for subject, why in answer.failed.items()}
    environment = next((answer.environment for answer in processes if answer.environment), {})
    gpu = environment.get("device", "cpu") != "cpu"
    arrays = _arrays(processes, failed, gpu)
    context: dict[str, Any] = {
        "versions": dict(environment.get("versions", {})),
        "device": environment.get("device_name", ""),
        "machine": {"processor": processor(), "cores": os.cpu_count()},
        "threads": threads,
        "clock": "wall" if gpu else "cpu",
        "programs": "made anew" if compiled_folder() is None else "kept",
        "waited": _share_waited(list(arrays.values())),
    }
    if WAITING not in failed and not gpu:
        workloads = [arrays[subject] for subject in WORKLOADS if subject in arrays]
        arrays[WAITING] = {"samples": _waiting(workloads)}
    if STEPS not in arrays:
        lost = [name for name in _steps() if name not in arrays]
        failed.setdefault(STEPS, f"not measured: {', '.join(lost)}")
    entries = {
        subject: BaselineEntry(Row("time", backend, subject), context | _about(subject), numbers)
        for subject, numbers in arrays.items()
    }
    for subject, why in failed.items():
        about = context | _about(subject) | {"failed": why}
        entries[subject] = BaselineEntry(Row("time", backend, subject), about, {})
    return [entries[subject] for subject in SUBJECTS if subject in entries]


def _arrays(
    processes: Sequence[Answer], failed: Mapping[str, str], gpu: bool
) -> dict[str, dict[str, Floats]]:
    """Return the arrays of every subject that all processes have measured."""
    arrays = {
        subject: _of_seconds([answer.readings[subject] for answer in processes], gpu, subject)
        for subject in (*WORKLOADS, COMPILE)
        if subject not in failed and all(subject in answer.readings for answer in processes)
    }
    if arrays.keys() >= set(_steps()):
        arrays[STEPS] = _together([arrays[name] for name in _steps()])
    if MEMORY not in failed and len(processes) > 1:
        # The first process compiles the programs that the next ones load: it needed more memory,
        # and has not given all of it back.
        peaks = [[float(answer.memory)] for answer in processes[1:]]
        arrays[MEMORY] = {"samples": np.array(peaks)}
    return arrays


def _steps() -> list[str]:
    return [name for name, workload in WORKLOADS.items() if workload.kind == "step"]


def _share_waited(arrays: Sequence[Mapping[str, Floats]]) -> float:
    """Return the share of the time in which the yardstick was ready to run but did not."""
    ratios = [a["yardstick waiting"].ravel() for a in arrays if "yardstick waiting" in a]
    return float(1 - 1 / np.mean(np.concatenate(ratios))) if ratios else 0.0


def _about(subject: str) -> dict[str, Any]:
    workload = COMPILED if subject == COMPILE else WORKLOADS.get(subject)
    parts = [other.question for other in WORKLOADS.values()]
    if subject == MEMORY:
        parts.append("without mapped files")
    return {
        "question": workload.question if workload else "-".join(sorted(set(parts))),
        "preparations": _preparations(subject),
    }


def _preparations(subject: str) -> int:
    """Return how many preparations share the rounds of a process."""
    return {COMPILE: COMPILATIONS, MEMORY: 1}.get(subject, PREPARATIONS)


def _of_seconds(readings: Sequence[Any], gpu: bool, subject: str) -> dict[str, Floats]:
    """Return the arrays of a subject, from readings [processes, rounds, 2 parts + 1, 2]."""
    table = np.array(readings, dtype=np.float64)
    parts = table.shape[2] // 2
    own, beside = table[..., parts, :], np.sqrt(table[..., :parts, :] * table[..., parts + 1 :, :])
    clocks = {"cpu": own[..., 0], "wall": own[..., 1]}
    if gpu:
        return clocks | {"samples": clocks["wall"]}
    return (
        clocks
        | _normalised(clocks["cpu"], beside[..., 0], _preparations(subject))
        | {"yardstick waiting": beside[..., 1].sum(axis=-1) / beside[..., 0].sum(axis=-1)}
    )


def _normalised(own: Floats, yardstick: Floats, preparations: int) -> dict[str, Floats]:
    weights = weights_of(own, yardstick, preparations)
    samples = normalised(own, yardstick, weights)
    return {"samples": samples, "yardstick": yardstick, "weights": weights}


def _together(steps: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Return the arrays of all steps: geometric means, round by round."""

    def mean(name: str) -> Floats:
        typical: Floats = np.exp(np.mean([np.log(arrays[name]) for arrays in steps], axis=0))
        return typical

    clocks = {"cpu": mean("cpu"), "wall": mean("wall")}
    if "yardstick" not in steps[0]:
        return clocks | {"samples": mean("samples")}
    return clocks | _normalised(clocks["cpu"], mean("yardstick"), PREPARATIONS)


def _waiting(arrays: Sequence[Mapping[str, Floats]]) -> Floats:
    """Return wall seconds per CPU second, in multiples of the yardstick's."""
    ratios = [a["wall"] / a["cpu"] / a["yardstick waiting"] for a in arrays]
    typical: Floats = np.median(ratios, axis=0)
    return typical
