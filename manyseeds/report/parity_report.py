"""The results of the parity kit, read from the JSON that `manyseeds parity --json` prints."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manyseeds.errors import RequestError, reason


class ParityCell(BaseModel):
    """A technique on a backend: its state, and the relative error of every check."""

    model_config = ConfigDict(frozen=True)

    kind: str
    technique: str
    backend: str
    state: str
    reason: str = ""
    errors: Mapping[str, float | None] = {}

    def text(self) -> str:
        """Return the state with the largest error, or with the reason why it is unsupported."""
        if self.state == "unsupported":
            return f"unsupported: {self.reason}" if self.reason else self.state
        if not self.errors:
            return self.state
        known = [error for error in self.errors.values() if error is not None]
        whole = len(known) == len(self.errors)
        return f"{self.state} {max(known):.0e}" if whole else f"{self.state}, not finite"


class ParityMatrix(BaseModel):
    """The matrix of techniques and backends."""

    model_config = ConfigDict(frozen=True)

    steps: Annotated[int, Field(ge=0)]
    tolerance: float
    cells: tuple[ParityCell, ...]

    def cell(self, kind: str, technique: str, backend: str) -> ParityCell | None:
        """Return a technique's cell on a backend, or None."""
        key = (kind, technique, backend)
        return next((c for c in self.cells if (c.kind, c.technique, c.backend) == key), None)


def read_parity(path: Path) -> ParityMatrix:
    """Return the parity matrix that a file contains.

    Raises
    ------
    RequestError
        The file cannot be read; the message says how to make one.
    """
    try:
        return ParityMatrix.model_validate_json(path.read_bytes())
    except OSError as error:
        why = reason(error)
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    raise RequestError(
        f"--parity {path}: cannot be read as a parity report ({why}). Make one with: "
        f"manyseeds parity --json > {shlex.quote(str(path))}"
    )
