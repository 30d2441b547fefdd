"""The machine below the frameworks: cores, processor, memory, driver, and XLA's environment."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import resource
import sys
import threading
from importlib.metadata import distributions
from pathlib import Path

import psutil

from manyseeds.errors import RequestError

COMPILED_VARIABLE = "MANYSEEDS_COMPILED"
"""Names the folder of compiled programs, or is "off"."""
_CPU_INFORMATION = Path("/proc/cpuinfo")
_CLEAR = Path("/proc/self/clear_refs")
_DRIVER = Path("/proc/driver/nvidia/version")
_MAPPINGS = Path("/proc/self/maps")
_MOST_MAPPINGS = Path("/proc/sys/vm/max_map_count")


def cores() -> int:
    """Return the cores this process may use, where the system says; else those there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def idle_cores(seconds: float = 1.0) -> int:
    """Return how many of these cores nobody used for so many seconds; one at least."""
    used = psutil.cpu_percent(seconds, percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(used))
    return max(1, round(sum(1 - used[core] / 100 for core in mine if core < len(used))))


def processor() -> str:
    """Return the processor's name as its vendor gives it."""
    text = _CPU_INFORMATION.read_text(encoding="utf-8") if _CPU_INFORMATION.exists() else ""
    named = re.search(r"model name\s*:\s*(.+)", text)
    return named.group(1) if named else platform.processor() or platform.machine()


def forget_peak_memory() -> None:
    """Count the process's peak memory from now on; a system other than Linux goes on counting."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")  # proc(5): resets the peak resident set size


def mapped_files() -> int:
    """Return the bytes of files that are mapped and in memory, on Linux; else 0.

    How many of a library's pages are mapped at a time depends on how its file lies in the system's
    cache: the same program, freshly installed, maps a third more.
    """
    return int(getattr(psutil.Process().memory_info(), "shared", 0))


def peak_memory() -> int:
    """Return the most memory this process has had at once since it was last forgotten, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def crowded() -> bool:
    """Return whether this process has taken half of the memory mappings that Linux allows it.

    A program that XLA compiles takes some hundred, and never gives them back: with none left,
    nothing more can be compiled in this process.
    """
    try:
        most = int(_MOST_MAPPINGS.read_text(encoding="ascii"))
        with _MAPPINGS.open("rb") as lines:
            return sum(1 for _ in lines) > most // 2
    except OSError:
        return False  # not Linux


def end_with_parent() -> None:
    """End this process at once when its standard input ends: then its parent has gone.

    The parent gives it the reading end of a pipe, and writes nothing.
    """

    def wait() -> None:
        # Not `sys.stdin`: a thread that waits in it holds a lock that the interpreter wants at its
        # own end.
        while os.read(0, 1 << 10):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def nvidia_versions(*packages: str) -> dict[str, str]:
    """Return the version of NVIDIA's driver, and of the installed packages with these prefixes."""
    found = {
        distribution.metadata["Name"]: distribution.version
        for distribution in distributions()
        if packages and (distribution.metadata["Name"] or "").startswith(packages)
    }
    text = _DRIVER.read_text(encoding="utf-8") if _DRIVER.exists() else ""
    if number := re.search(r"\d+\.\d+(\.\d+)?", text):
        found["nvidia-driver"] = number.group()
    return found


def add_xla_flag(flag: str) -> None:
    """Append a flag to XLA_FLAGS, after the user's own, so that it wins; XLA reads it when used."""
    flags = os.environ.get("XLA_FLAGS", "").split()
    os.environ["XLA_FLAGS"] = " ".join([*(other for other in flags if other != flag), flag])


def compiled_folder() -> Path | None:
    """Return where compiled programs are kept for later processes; None where they are not.

    That is a folder of the user's cache, or what `MANYSEEDS_COMPILED` names.
    """
    import pooch

    named = os.environ.get(COMPILED_VARIABLE, "")
    if named == "off":
        return None
    return Path(named) if named else Path(pooch.os_cache("manyseeds")) / "compiled"


def keep_compiled(framework: str, release: str) -> Path | None:
    """Return the folder for a framework's compiled programs, made if need be; None: keep none.

    Programs are machine code: another release, other flags of XLA or another processor have a
    folder of their own. Of what a backend itself adds to XLA_FLAGS, the folder need not know.

    Raises
    ------
    RequestError
        If the folder cannot be made.
    """
    folder = compiled_folder()
    if folder is None:
        return None
    machine = "\n".join((os.environ.get("XLA_FLAGS", ""), processor(), platform.machine()))
    place = folder / f"{framework}-{release}-{hashlib.sha256(machine.encode()).hexdigest()[:8]}"
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"compiled programs cannot be kept in {place}: {error}. Set {COMPILED_VARIABLE} to "
            "another folder, or to off"
        ) from error
    return place
