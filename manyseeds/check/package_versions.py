"""The versions of packages that a set of rows was measured with.

Rows of a baseline are accepted one by one, so that a package can have several versions among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.findings import Finding

PackageVersions = Mapping[str, Sequence[str]]
"""By package: its versions, in the order in which they occur."""


def merged(versions: Iterable[Mapping[str, str]]) -> PackageVersions:
    """Return all versions of each package.

    >>> merged([{"jax": "0.9"}, {"jax": "0.10", "optax": "0.2"}])
    {'jax': ('0.9', '0.10'), 'optax': ('0.2',)}
    """
    together: dict[str, dict[str, None]] = {}
    for one in versions:
        for package, version in one.items():
            together.setdefault(package, {})[version] = None
    return {package: tuple(known) for package, known in together.items()}


def versions_by_backend(entries: Sequence[BaselineEntry]) -> dict[str, PackageVersions]:
    """Return the versions of each backend's entries."""
    backends = sorted({entry.backend for entry in entries})
    return {b: merged(entry.versions for entry in entries if entry.backend == b) for b in backends}


def text_of(versions: PackageVersions) -> str:
    """Return versions in words.

    >>> text_of({"jax": ("0.9", "0.10"), "optax": ("0.2",)})
    'jax 0.9 or 0.10, optax 0.2'
    """
    return ", ".join(f"{name} {' or '.join(known)}" for name, known in versions.items())


def compared_versions(findings: Sequence[Finding]) -> list[str]:
    """Return a line per backend: the versions that were compared, then and now."""
    compared = [finding for finding in findings if finding.then and finding.now]
    return [
        f"{backend}: {_change([f for f in compared if f.backend == backend])}"
        for backend in sorted({finding.backend for finding in compared})
    ]


def _change(findings: Sequence[Finding]) -> str:
    then, now = merged(f.then for f in findings), merged(f.now for f in findings)
    names = [*then, *(name for name in now if name not in then)]
    changed = [name for name in names if then.get(name) != now.get(name)]
    changes = [
        f"{text_of({name: then.get(name, ('none',))})} → {' or '.join(now.get(name, ('none',)))}"
        for name in changed
    ]
    same = text_of({name: then[name] for name in names if name not in changed})
    if not changes:
        return f"the same versions then and now: {same}"
    return ", ".join(changes) + (f"; as then: {same}" if same else "")
