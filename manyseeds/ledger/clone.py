"""The clone that manyseeds runs from: its commit, and whether files have changed since."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CODE = ("manyseeds", "backends", "suites")
"""The folders whose uncommitted changes count."""

_DUBIOUS = "dubious ownership"


@dataclass(frozen=True)
class Commit:
    """The commit of the code that runs.

    Attributes
    ----------
    name
        The commit's SHA-1; None if it is unknown.
    dirty
        Whether code or suites have uncommitted changes; None if that is unknown.
    unknown
        Why the commit or its changes are unknown; "" if both are known.
    """

    name: str | None
    dirty: bool | None
    unknown: str = ""


def commit_of(root: Path) -> Commit:
    """Return the commit of the clone in a folder.

    Git is asked about this folder alone: its own environment variables, such as GIT_DIR in a hook,
    would lead to another repository, and so would a search through the folders above.
    """
    if not (root / ".git").exists():
        return Commit(None, None, "not run from a clone")
    name = None
    try:
        name = _git(root, "rev-parse", "--verify", "HEAD")
        changes = _git(root, "status", "--porcelain", "--", *_CODE)
    except FileNotFoundError:
        return Commit(None, None, "git is not installed")
    except OSError as error:
        return Commit(None, None, f"git cannot be run: {error.strerror}")
    except subprocess.CalledProcessError as error:
        return Commit(name, None, _refusal(error.stderr))
    return Commit(name, bool(changes))


def _git(root: Path, *arguments: str) -> str:
    """Return git's answer about the clone in a folder, without a trace in the clone."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"GIT_CEILING_DIRECTORIES": str(root.resolve().parent), "LC_ALL": "C"}
    command = ["git", "--no-optional-locks", *arguments]
    answer = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def _refusal(message: str) -> str:
    """Return why git refused, without the folders of this machine, because ledgers are shared."""
    if _DUBIOUS in message:
        return "git refuses a clone of another user; see safe.directory in `git help config`"
    if "not a git repository" in message:
        return "the clone is broken: git finds no repository in it"
    return "git refuses; `git status` in the clone says why"
