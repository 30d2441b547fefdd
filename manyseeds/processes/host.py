"""The machine this process runs on: its cores, and the memory that the process has taken."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

from manyseeds.processes.cgroups import cpu_limit, memory_left

_CLEAR = Path("/proc/self/clear_refs")
_MAPPINGS = Path("/proc/self/maps")
_STATUS = Path("/proc/self/status")
_MOST_MAPPINGS = Path("/proc/sys/vm/max_map_count")


def cores() -> int:
    """Return how many cores this process may use; all of them, if the system does not say.

    A container's share of the processor's time counts in whole cores, rounded up.
    """
    allowed = len(_own_cores())
    share = cpu_limit()
    return allowed if share is None else max(1, min(allowed, math.ceil(share)))


def free_memory() -> int:
    """Return the bytes this process may still take: what is free, or what its container allows."""
    free = int(psutil.virtual_memory().available)
    left = memory_left()
    return free if left is None else min(free, left)


def _own_cores() -> Collection[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def idle_cores(seconds: float = 1.0) -> int:
    """Return how many of these cores are idle, measured over some seconds; at least one."""
    used = psutil.cpu_percent(seconds, percpu=True)
    idle = round(sum(1 - used[core] / 100 for core in _own_cores() if core < len(used)))
    return max(1, min(idle, cores()))


def forget_peak_memory() -> None:
    """Reset the process's peak memory. Linux only: elsewhere the peak since its start remains."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")  # proc(5): resets the peak resident set size


def mapped_files() -> int:
    """Return the bytes of mapped files that are in memory, on Linux; else 0.

    How many of a library's pages are mapped depends on the system's file cache: the same program,
    freshly installed, maps a third more.
    """
    return int(getattr(psutil.Process().memory_info(), "shared", 0))


def peak_memory() -> int:
    """Return the process's peak memory since it started or was reset, in bytes."""
    # Not getrusage(2) where it can be helped: on Linux its peak is at least what the parent held
    # when it forked, and a reset does not reach it.
    with contextlib.suppress(OSError, StopIteration):
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    import resource  # Windows, which is refused with a sentence, has none

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def crowded() -> bool:
    """Return whether the process holds half of the memory mappings that Linux allows it.

    A compiled program takes about a hundred and never gives them back: with none left, nothing more
    can be compiled in the process.
    """
    try:
        most = int(_MOST_MAPPINGS.read_text(encoding="ascii"))
        with _MAPPINGS.open("rb") as lines:
            return sum(1 for _ in lines) > most // 2
    except OSError:
        return False  # not Linux
