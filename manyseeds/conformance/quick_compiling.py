"""Flags with which a backend's compiler finishes many small programs sooner, while it knows them.

A compiler ends its process at a flag that it does not know, and names the flag. The flags change no
number, so that the process is started again without them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from manyseeds.backend.discovery import backend_entry
from manyseeds.processes.death import Death


@dataclass
class QuickCompiling:
    """The environment of a backend's workers; threads that start them may share it.

    Attributes
    ----------
    backend
        The backend's name.
    """

    backend: str
    _refused: set[str] = field(default_factory=set)

    def environment(self) -> dict[str, str]:
        """Return variables for a new worker: the flags not refused yet, then the user's own."""
        return {
            variable: f"{flag} {os.environ.get(variable, '')}".strip()
            for variable, flag in self._flags().items()
            if flag not in self._refused
        }

    def refused(self, death: Death, environment: Mapping[str, str]) -> bool:
        """Return whether a worker died of these flags, and leave those out from now on.

        Parameters
        ----------
        death
            The end of the worker. Its status says nothing: XLA aborts or exits, by release.
        environment
            The variables that it was started with.
        """
        unknown = {
            flag
            for variable, flag in self._flags().items()
            if variable in environment and flag in death.log
        }
        self._refused |= unknown
        return bool(unknown)

    def _flags(self) -> Mapping[str, str]:
        return backend_entry(self.backend).quick_compile_flags
