"""The sessions of a run, that is each time it is started or resumed, and their versions.

The provenance has an entry for each; a record's column `session` is the entry's number, from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from manyseeds.errors import RequestError
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.provenance import session
from manyseeds.ledger.versions import latest_versions, version_changes, versions_of
from manyseeds.ledger.write_errors import resume_command


class Sessions:
    """The sessions of a run so far, and the one that is training.

    Parameters
    ----------
    ledger
        The ledger of the run.
    datasets
        The names of the data sets that the run trains on.
    other_versions
        Whether rows may be trained under other versions than earlier ones.
    """

    def __init__(self, ledger: Ledger, datasets: Iterable[str], *, other_versions: bool) -> None:
        self._ledger = ledger
        self._other_versions = other_versions
        self._earlier = ledger.provenance
        self._current = session(datasets)

    @property
    def number(self) -> int:
        """The number of the session that is training, from 1."""
        return len(self._earlier) + 1

    def open(self, backend: str, environment: Mapping[str, Any]) -> bool:
        """Record a backend's environment; return whether it is new in this session.

        Raises
        ------
        RequestError
            Earlier rows of the backend were trained under other versions, and that is not allowed.
            Nothing has been recorded.
        """
        backends = self._current["backends"]
        if backends.get(backend) == environment:
            return False
        candidate = {**self._current, "backends": {**backends, backend: dict(environment)}}
        now = versions_of(candidate, backend)
        then = latest_versions([*self._earlier, self._current], backend)
        if then is not None and then != now and not self._other_versions:
            raise RequestError(self._refusal(backend, "; ".join(version_changes(then, now))))
        if backend in backends:  # updated while the run was training: another session from here on
            self._earlier.append(self._current)
        self._current = candidate
        self.save()
        return True

    def save(self) -> None:
        """Write all sessions to the provenance."""
        self._ledger.write_provenance([*self._earlier, self._current])

    def _refusal(self, backend: str, changes: str) -> str:
        folder = self._ledger.folder
        return (
            f"{folder} was trained on {backend} under other versions: {changes}. Its rows would "
            "not belong together: install those versions, or start a new run. To train the rest "
            "all the same (each record then says which session trained it, the provenance under "
            f"which versions): {resume_command(folder)} --other-versions"
        )
