"""The limits that Linux control groups put on this process: those of containers and batch systems.

Versions 1 and 2 are read. A limit may be set on any group above the process's own, so that the
tightest one on the way up counts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_PROCESS = Path("/proc/self")

_RECLAIMABLE = ("total_inactive_file", "inactive_file")
"""Bytes of cached files in `memory.stat`, which the system gives up for a program that needs them:
of the groups below as well, in versions 1 and 2."""


@dataclass(frozen=True)
class _Controller:
    """A controller's groups, from the process's own up to the topmost that can be seen.

    Attributes
    ----------
    version
        The version of control groups, 1 or 2.
    folders
        The folders of the groups.
    """

    version: int
    folders: Sequence[Path]


def memory_left(process: Path = _PROCESS) -> int | None:
    """Return the bytes that the process may still take; None without a limit.

    Files that the system has cached for the group count as free, as they do on a whole machine.
    """
    left = [
        max(0, limit - _used(folder, controller.version))
        for controller in _controllers("memory", process)
        for folder in controller.folders
        if (limit := _memory_limit(folder, controller.version)) is not None
    ]
    return min(left, default=None)


def cpu_limit(process: Path = _PROCESS) -> float | None:
    """Return how many cores' time the process may use; None without a limit."""
    quotas = [
        quota
        for controller in _controllers("cpu", process)
        for folder in controller.folders
        if (quota := _cpu_quota(folder, controller.version)) is not None
    ]
    return min(quotas, default=None)


def _memory_limit(folder: Path, version: int) -> int | None:
    if version == 1:
        limit = _number(folder / "memory.limit_in_bytes")
        return None if limit is None or limit >= 2**62 else limit  # "none" is a huge number there
    limits = [_number(folder / name) for name in ("memory.max", "memory.high")]
    return min((limit for limit in limits if limit is not None), default=None)


def _used(folder: Path, version: int) -> int:
    usage = "memory.usage_in_bytes" if version == 1 else "memory.current"
    statistics = dict(
        line.split(maxsplit=1)
        for line in _text(folder / "memory.stat").splitlines()
        if len(line.split()) == 2
    )
    cached = next((int(statistics[name]) for name in _RECLAIMABLE if name in statistics), 0)
    return max(0, (_number(folder / usage) or 0) - cached)


def _cpu_quota(folder: Path, version: int) -> float | None:
    if version == 1:
        quota, period = (_number(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    else:
        words = [*_text(folder / "cpu.max").split(), "", ""]
        quota, period = (int(word) if word.isdigit() else None for word in words[:2])
    return quota / period if quota and period and quota > 0 else None


def _controllers(name: str, process: Path) -> Iterator[_Controller]:
    """Yield the groups of a controller: in version 1, in version 2, or in both."""
    mounts = [line.split() for line in _text(process / "mountinfo").splitlines()]
    for line in _text(process / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        version = 1 if names else 2
        if version == 2 or name in names.split(","):
            place = _mount(mounts, version, name)
            if place is not None:
                yield _Controller(version, _folders(*place, path))


def _mount(mounts: Sequence[Sequence[str]], version: int, name: str) -> tuple[str, Path] | None:
    """Return the group that a controller's file system shows as its top, and where it is mounted.

    Fields of a line: id, parent, device, root, mount point, options, …, "-", type, source, options.
    """
    for fields in mounts:
        kind, _, options = (*fields[fields.index("-") + 1 :], "", "", "")[:3]
        is_it = kind == "cgroup2" if version == 2 else name in options.split(",")
        if is_it and kind.startswith("cgroup"):
            return _unescaped(fields[3]), Path(_unescaped(fields[4]))
    return None


def _folders(top: str, mount: Path, path: str) -> list[Path]:
    """Return the folders of the group at `path` and of those above it that can be seen.

    In a container without a name space of its own the path is that on the host, of which the mount
    shows the lower part.
    """
    group = PurePosixPath(path)
    inner = group.relative_to(top) if group.is_relative_to(top) else PurePosixPath()
    folder = mount / inner if ".." not in inner.parts else mount
    return [folder, *(above for above in folder.parents if above.is_relative_to(mount))]


def _unescaped(field: str) -> str:
    return field.replace(r"\040", " ").replace(r"\011", "\t").replace(r"\134", "\\")


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.removeprefix("-").isdigit() else None


def _text(path: Path) -> str:
    """Return the text of a file of the system; "" if there is none, as on other systems."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""
