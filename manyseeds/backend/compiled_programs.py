"""Folders that keep compiled programs for later processes, and compiler flags in the environment.

For backends that compile: each has a folder of its own for every release, processor and flags.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from manyseeds.backend.processor import processor
from manyseeds.errors import RequestError, RunError

COMPILED_VARIABLE = "MANYSEEDS_COMPILED"
"""The variable that names the folder of compiled programs, or is "off"."""


XLA_QUICK_COMPILE_FLAGS: Mapping[str, str] = MappingProxyType(
    {"XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false"}
)
"""For backends that compile with XLA: see `BackendEntry.quick_compile_flags`. Without this flag a
small program takes twice as long, mostly because each gets a second compiler."""

XLA_KEPT_FLAGS = ("xla_gpu_cuda_data_dir", "xla_dump_*", "xla_cpu_use_fusion_emitters")
"""Flags of XLA that change no number: a user's others are ignored."""


def append_flag(variable: str, flag: str) -> None:
    """Append a flag to a variable of flags, after the user's own, so that it wins.

    A compiler reads the variable when it is first used.
    """
    flags = os.environ.get(variable, "").split()
    os.environ[variable] = " ".join([*(other for other in flags if other != flag), flag])


def unknown_flags(variable: str, flags: Sequence[str], program: str) -> tuple[str, ...]:
    """Return the flags that a compiler does not know, found out in a process of its own.

    Parameters
    ----------
    variable
        The variable that the compiler reads. It ends its process at an unknown flag, and names it.
    flags
        The flags to try, together.
    program
        Python code that compiles something.

    Raises
    ------
    RunError
        The program fails for another reason.
    """
    environment = os.environ | {variable: " ".join(flags)}
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode == 0:
        return ()
    named = tuple(flag for flag in flags if flag in ended.stderr)
    if not named:
        raise RunError(f"no program could be compiled to try {variable}: {ended.stderr[-3000:]}")
    return named


def compiled_folder() -> Path | None:
    """Return the folder that keeps compiled programs for later processes; None to keep none.

    It is `MANYSEEDS_COMPILED` if set, else a folder in the user's cache. A user without a home has
    no cache.
    """
    import pooch

    named = os.environ.get(COMPILED_VARIABLE, "")
    if named == "off":
        return None
    if named:
        return Path(os.path.expanduser(named)).absolute()  # shells leave a "~" within quotes
    try:
        cache = Path(pooch.os_cache("manyseeds"))
    except RuntimeError:  # no home
        return None
    return cache / "compiled" if cache.is_absolute() else None


def keep_compiled(framework: str, release: str, flags: str = "") -> Path | None:
    """Make and return the folder for a framework's compiled programs; None to keep none.

    Programs are machine code: another release, processor or set of compiler flags has a folder of
    its own. Flags that a backend always sets need not be among them. None are kept if the user's
    cache cannot be written to.

    Raises
    ------
    RequestError
        The folder that `MANYSEEDS_COMPILED` names cannot be written to.
    """
    folder = compiled_folder()
    if folder is None:
        return None
    machine = "\n".join((flags, processor(), platform.machine()))
    place = folder / f"{framework}-{release}-{hashlib.sha256(machine.encode()).hexdigest()[:8]}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    except OSError as error:
        if not os.environ.get(COMPILED_VARIABLE):
            return None
        raise RequestError(
            f"cannot keep compiled programs in {place}: {error.strerror or error}. "
            f"Set {COMPILED_VARIABLE} to another folder, or to off"
        ) from error
