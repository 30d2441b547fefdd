"""A digest of the code that makes numbers, which tells two states of one version apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

NUMERICS = tuple(
    f"manyseeds.{name}"
    for name in ("randomness", "techniques", "suite", "backend", "datasets", "execution")
)
"""The packages of manyseeds that decide what a training computes, besides the backend's own."""


def code_digest(packages: Iterable[str]) -> str:
    """Return the SHA-256 of the source files of packages, 64 hexadecimal digits.

    It changes with any edit, also of a comment: it is for what may be computed again.
    """
    content = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for file in sorted(Path(folder).rglob("*.py")):
                content.update(f"{package}/{file.relative_to(folder).as_posix()}\0".encode())
                content.update(hashlib.sha256(file.read_bytes()).digest())
    return content.hexdigest()
