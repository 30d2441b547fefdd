"""Checkpoints: states after shared phases, on disk for the other recipes of the run.

A checkpoint is an .npz of plain arrays without pickle or compression, named after its phases and
seeds. Its last bytes are the SHA-256 of its name and of everything before them. It saves work and
holds no result: where it cannot be used, its phases are trained again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from manyseeds.datasets import dataset
from manyseeds.errors import RunError
from manyseeds.execution.diagnostics import Diagnosis
from manyseeds.execution.state import EpochCurves, Seconds, State
from manyseeds.ledger.atomic_write import write_atomically
from manyseeds.ledger.files import read_file
from manyseeds.suite.recipe import Phase, Recipe

Shapes = Mapping[str, tuple[int, ...]]

_CHECKSUM = 64
"""Length of the checksum, in hexadecimal digits."""

_BYTES_BESIDE_WEIGHTS = 256 * 2**20
"""The most bytes of a checkpoint's curves and diagnoses."""


class CheckpointError(Exception):
    """A checkpoint cannot be used: it is damaged, or of another training."""


@dataclass(frozen=True)
class Expected:
    """The state that a checkpoint should have.

    Attributes
    ----------
    lanes, phases
        The number of lanes, and of phases that have ended.
    weights, source
        The shapes of one lane's weights, and of those of the network before.
    """

    lanes: int
    phases: int
    weights: Shapes
    source: Shapes

    @classmethod
    def after(cls, recipe: Recipe, phases: int, lanes: int) -> Expected:
        """Return the expectation of the state after some phases of a recipe."""
        ended = recipe.phases[:phases]
        changes = [before for before, p in pairwise(ended) if before.network.name != p.network.name]
        source = _shapes(changes[-1]) if changes else {}
        return cls(lanes, phases, _shapes(ended[-1]), source)

    def most_bytes(self) -> int:
        """Return the largest size of the checkpoint: each weight has eight bytes at most."""
        shapes = (*self.weights.values(), *self.source.values())
        return _BYTES_BESIDE_WEIGHTS + 8 * self.lanes * sum(map(math.prod, shapes))

    def problems(self, state: State) -> Iterator[str]:
        """Yield where a state differs from this expectation."""
        if state.phases != self.phases:
            yield f"{state.phases} phases, where {self.phases} were expected"
        for name, shapes, arrays in (
            ("weights", self.weights, state.weights),
            ("source", self.source, state.source),
        ):
            found = {key: values.shape for key, values in arrays.items()}
            if found != {key: (self.lanes, *shape) for key, shape in shapes.items()}:
                yield f"{name} of other shapes"
        series = [values for curve in state.curves for values in curve.values.values()]
        series += [diagnosis.values for diagnosis in state.diagnoses]
        lanes = {len(state.diverged), *(values.shape for values in (state.best_epoch, *series))}
        if lanes != {self.lanes, (self.lanes,)}:
            yield f"other than {self.lanes} lanes"


def _shapes(phase: Phase) -> Shapes:
    return phase.network.shapes(dataset(phase.task.dataset).features)


def save_state(path: Path, state: State) -> None:
    """Write a state to disk."""
    facts = {
        "phases": state.phases,
        "epochs_on_task": dict(state.epochs_on_task),
        "steps_of_network": dict(state.steps_of_network),
        "diverged": state.diverged,
        "seconds": asdict(state.seconds),
        "curves": [[curve.phase, curve.epoch] for curve in state.curves],
        "diagnoses": [[d.phase, d.epoch, d.step, d.layer, d.quantity] for d in state.diagnoses],
    }
    arrays: dict[str, Any] = {"facts": np.array(json.dumps(facts)), "best_epoch": state.best_epoch}
    arrays |= {f"weights/{name}": values for name, values in state.weights.items()}
    arrays |= {f"source/{name}": values for name, values in state.source.items()}
    for index, curve in enumerate(state.curves):
        arrays |= {f"curve/{index}/{name}": values for name, values in curve.values.items()}
    if state.diagnoses:
        arrays["diagnoses"] = np.stack([diagnosis.values for diagnosis in state.diagnoses])
    content = BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    with ZipFile(content, "a") as archive:
        archive.comment = b"0" * _CHECKSUM
    archived = content.getvalue()[:-_CHECKSUM]
    write_atomically(path, archived + _checksum(path, archived))


def load_state(path: Path, expected: Expected) -> State | None:
    """Read a state back, the same bit for bit; None if there is no checkpoint.

    Raises
    ------
    CheckpointError
        The checkpoint is damaged, of another training, or larger than it can be.
    """
    try:
        content = read_file(path, expected.most_bytes())
    except FileNotFoundError:
        return None
    except RunError as error:
        raise CheckpointError(str(error)) from None
    archived, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
    if checksum != _checksum(path, archived):
        raise CheckpointError(f"{path} does not match its checksum")
    try:
        state = _state(_arrays(content))
        problem = next(expected.problems(state), "")
    except Exception as error:  # anybody can write a file with the right checksum
        raise CheckpointError(f"{path} is no checkpoint: {type(error).__name__}: {error}") from None
    if problem:
        raise CheckpointError(f"{path} is of another training: {problem}")
    return state


def _checksum(path: Path, archived: bytes) -> bytes:
    """Return the checksum of a checkpoint's bytes under a name."""
    return hashlib.sha256(path.name.encode() + archived).hexdigest().encode()


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive; they take no more memory than the archive itself."""
    with ZipFile(BytesIO(content)) as archive:
        members = archive.infolist()
        if any(m.compress_type != ZIP_STORED or m.file_size != m.compress_size for m in members):
            raise ValueError("its arrays are compressed")
        if sum(member.file_size for member in members) > len(content):
            raise ValueError("its arrays overlap")
        return {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}


def _array(content: bytes) -> NDArray[Any]:
    file = BytesIO(content)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, _, dtype = readers[npy.read_magic(file)](file)
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError("an array has another size than its header says")
    array: NDArray[Any] = np.load(BytesIO(content), allow_pickle=False)
    return array


def _state(arrays: Mapping[str, Any]) -> State:
    facts = json.loads(str(arrays["facts"]))
    curves = tuple(
        EpochCurves(phase, epoch, _under(arrays, f"curve/{index}/"))
        for index, (phase, epoch) in enumerate(facts["curves"])
    )
    return State(
        phases=facts["phases"],
        weights=_under(arrays, "weights/"),
        source=_under(arrays, "source/"),
        epochs_on_task=facts["epochs_on_task"],
        steps_of_network=facts["steps_of_network"],
        curves=curves,
        diagnoses=tuple(
            Diagnosis(phase, epoch, step, layer, quantity, values)
            for (phase, epoch, step, layer, quantity), values in zip(
                facts["diagnoses"], arrays.get("diagnoses", ()), strict=True
            )
        ),
        diverged=tuple(facts["diverged"]),
        best_epoch=arrays["best_epoch"],
        seconds=Seconds(**facts["seconds"]),
    )


def _under(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
