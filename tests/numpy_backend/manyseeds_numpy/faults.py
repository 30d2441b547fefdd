"""Faults on demand, asked for through the environment, for the tests of the harness.

MANYSEEDS_NUMPY_FAULT   one or more of these, separated by spaces:
    refuse            opening is refused, as by a framework that finds no GPU
    broken            opening raises, as by a framework that is badly installed
    once:FILE         opening kills the process unless this file exists, and makes it
    kill:PHASE:EPOCH  the process is killed amid this epoch of the phase, from 0
    hang:PHASE:EPOCH  …never ends this epoch
    raise:PHASE:EPOCH …raises in this epoch
    crowd:PHASE:EPOCH …fills half of the memory mappings, as compiled programs do
    nan:PHASE:LANE    the lane's weights become NaN as the phase starts
    slow:SECONDS      every epoch takes so much longer
    unsupported:NAME  the recipe is one this backend cannot train
    version:NUMBER    the backend says that this is NumPy's version
MANYSEEDS_NUMPY_TRACE   a file that gets a line "PHASE EPOCH LANES" for every epoch trained
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from pathlib import Path

import numpy as np

from manyseeds.backend.values import EpochPlan
from manyseeds.errors import RequestError
from manyseeds_numpy.arrays import Weights

_MAPPINGS: list[mmap.mmap] = []


def _asked(kind: str) -> list[list[str]]:
    """Return the arguments of every fault of a kind that is asked for."""
    faults = [fault.split(":") for fault in os.environ.get("MANYSEEDS_NUMPY_FAULT", "").split()]
    return [arguments for name, *arguments in faults if name == kind]


def unsupported(recipe: str) -> str | None:
    """Say why a recipe cannot be trained, if that is asked for."""
    return "a test wants it so" if [recipe] in _asked("unsupported") else None


def version(actual: str) -> str:
    """Return the version that is asked for, else the actual one."""
    return next((number for (number,) in _asked("version")), actual)


def opening() -> None:
    """Fail to open."""
    if _asked("refuse"):
        raise RequestError("the numpy backend was asked to refuse")
    if _asked("broken"):
        raise ImportError("the numpy backend was asked to break")
    for (file,) in _asked("once"):
        if not Path(file).exists():
            Path(file).touch()
            os.kill(os.getpid(), signal.SIGKILL)


def training(phase: str, step: int, epoch: EpochPlan, weights: Weights) -> None:
    """Do what is asked for at a step of an epoch."""
    number = str(epoch.step // epoch.step_count)
    if step == 0:
        _trace(f"{phase} {number} {len(epoch.order)}")
        for (seconds,) in _asked("slow"):
            time.sleep(float(seconds))
        for _, lane in (arguments for arguments in _asked("nan") if arguments[0] == phase):
            for values in weights.values():
                values[int(lane)] = np.nan
    if step == epoch.step_count // 2:
        if [phase, number] in _asked("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if [phase, number] in _asked("hang"):
            time.sleep(3600)
        if [phase, number] in _asked("crowd"):
            most = int(Path("/proc/sys/vm/max_map_count").read_text(encoding="ascii"))
            _MAPPINGS.extend(mmap.mmap(-1, mmap.PAGESIZE) for _ in range(most // 2))
        if [phase, number] in _asked("raise"):
            raise ArithmeticError("the numpy backend was asked to fail")


def _trace(line: str) -> None:
    if path := os.environ.get("MANYSEEDS_NUMPY_TRACE"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
