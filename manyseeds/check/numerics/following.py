"""Follows recipes on a backend in a process of its own and keeps the fingerprints of what it does.

One recipe that a backend cannot follow, or that ends the process, is told as such; the others go
on.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.protocols import Backend
from manyseeds.backend.settings import Settings
from manyseeds.backend.values import Environment
from manyseeds.check.numerics.fingerprint import of_group, of_tensor
from manyseeds.check.numerics.recording import RecordedPhase, RecordingBackend
from manyseeds.conformance.process import STREAMS_VARIED, Lifeline, run_module
from manyseeds.conformance.trajectory import Trajectory, follow
from manyseeds.errors import ManyseedsError, RequestError
from manyseeds.model import frozen
from manyseeds.processes.host import crowded, end_with_parent
from manyseeds.randomness.lanes import Lanes, seeds_of
from manyseeds.suite.recipe import Recipe

Arrays = dict[str, NDArray[Any]]

_SETTINGS = partial(Settings, precision="float64", threads=1)
"""One thread: for layers this small several spend their time waiting for each other."""


@dataclass(frozen=True)
class Request:
    """What to follow, in float64.

    Attributes
    ----------
    recipes
        By name.
    steps
        Of each recipe, by name.
    lanes
        Seeds 0, 1, …, each a lane.
    """

    backend: str
    device: str
    recipes: Mapping[str, Recipe]
    steps: Mapping[str, int]
    lanes: int

    def as_json(self) -> dict[str, Any]:
        """Return the request as JSON has it."""
        recipes = {name: recipe.model_dump(mode="json") for name, recipe in self.recipes.items()}
        return vars(self) | {"steps": dict(self.steps), "recipes": recipes}


@dataclass(frozen=True)
class Followed:
    """What became of a request.

    Attributes
    ----------
    prints
        Fingerprints by recipe: arrays by name, of `summary`.
    failures
        By recipe: why it could not be followed.
    environment
        What `Backend.describe` says, as JSON has it; {} if the backend could not be opened.
    """

    prints: Mapping[str, Arrays]
    failures: Mapping[str, str]
    environment: Mapping[str, Any]


def prepared(request: Request, folder: Path) -> None:
    """Write a request where `follow_some` finds it."""
    folder.mkdir(parents=True)
    text = json.dumps(request.as_json())
    (folder / "request.json").write_text(text, encoding="utf-8")


def follow_some(folder: Path, worker: str, lifeline: Lifeline) -> None:
    """Follow recipes of the request in a folder, until all are claimed or the lifeline is cut.

    Any number of workers may do so at once: whoever has time takes the next recipe. One that ends
    its process is told as such, and another process goes on.

    Raises
    ------
    RequestError
        The backend refuses the device, or is not installed.
    """
    names = list(_request(folder)["recipes"])
    while not lifeline.cut and _unclaimed(folder, len(names)):
        answer = run_module(
            "manyseeds.check.numerics.following", str(folder), worker, lifeline=lifeline
        )
        if answer.returncode == RequestError.exit_status:
            raise RequestError(answer.stderr.strip().splitlines()[-1])
        if answer.returncode:
            told = _cause(answer.returncode, answer.stderr)
            own = [n for n in range(len(names)) if _claimed_by(folder, n) == worker]
            lost = [number for number in own if _read(folder / str(number)) is None]
            # One that never opened would follow none of the others either.
            for number in lost or [n for n in _unclaimed(folder, len(names)) if _claim(folder, n)]:
                (folder / f"{number}.txt").write_text(told, encoding="utf-8")


def followed(request: Request, folder: Path) -> Followed:
    """Return what came of a request."""
    prints: dict[str, Arrays] = {}
    failures: dict[str, str] = {}
    for number, name in enumerate(request.recipes):
        found = _read(folder / str(number))
        if isinstance(found, str):
            failures[name] = found
        elif found is not None:
            prints[name] = found
    known = folder / "environment.json"
    environment = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    return Followed(prints, failures, environment)


def _request(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    return found


def _unclaimed(folder: Path, recipes: int) -> list[int]:
    return [number for number in range(recipes) if not (folder / f"{number}.claim").exists()]


def _claim(folder: Path, number: int, worker: str = "") -> bool:
    """Take a recipe, unless somebody has."""
    try:
        with (folder / f"{number}.claim").open("x", encoding="utf-8") as file:
            file.write(worker)
    except FileExistsError:
        return False
    return True


def _claimed_by(folder: Path, number: int) -> str | None:
    path = folder / f"{number}.claim"
    return path.read_text(encoding="utf-8") if path.exists() else None


def _read(place: Path) -> Arrays | str | None:
    """Return a recipe's fingerprints, why there are none, or None if nobody is done with it."""
    if (failure := place.with_suffix(".txt")).exists():
        return failure.read_text(encoding="utf-8")
    if not (path := place.with_suffix(".npz")).exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _cause(code: int, said: str) -> str:
    last = (said.strip().splitlines() or ["nothing was said"])[-1]
    how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return f"its process {how}: {last}"


def summary(trajectory: Trajectory, phases: Mapping[str, RecordedPhase]) -> Arrays:
    """Return a trajectory's fingerprints.

    Returns
    -------
    By name: "PHASE/loss" and "PHASE/penalty" [lanes, steps], whole; "PHASE/gradient",
    "PHASE/moved" (weights after each step) and "PHASE/averages" (moving ones) [lanes, steps, …],
    each of a group of tensors; "PHASE/asked/…", what the harness asked for; "tensors"
    [names, lanes, …] of single ones, "names": "PHASE/gradient/LAYER/VARIABLE" at the phase's first
    step, "PHASE/weights/…" as it ends, "PHASE/scores/…".
    """
    found: Arrays = {}
    single: Arrays = {}
    for phase, asked in phases.items():
        start = f"{phase}/"
        own = {n.removeprefix(start): v for n, v in trajectory.items() if n.startswith(start)}
        gradients = {name: v for name, v in own.items() if name.startswith("gradient/")}
        found |= {f"{start}{name}": own[name] for name in ("loss", "penalty") if name in own}
        if gradients:
            found[f"{start}gradient"] = of_group(gradients)
        found |= {f"{start}{name}": values for name, values in asked.arrays().items()}
        for name, values in own.items():
            if name not in ("loss", "penalty"):
                at = values[:, 0] if name in gradients else values
                single[f"{start}{name}"] = of_tensor(name, at)
    found["names"] = np.array(list(single))
    found["tensors"] = np.stack(list(single.values()))
    return found


def main(arguments: Sequence[str]) -> int:
    """Follow recipes of the request in a folder, as a worker of some name."""
    end_with_parent()
    folder, worker = Path(arguments[0]), arguments[1]
    request = _request(folder)
    try:
        entry = backend_entry(request["backend"])
        backend = entry.open(_SETTINGS(device=request["device"]))
    except ManyseedsError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    _leave(folder / "environment.json", worker, json.dumps(_plain(backend.describe())).encode())
    lanes = seeds_of(range(request["lanes"]), STREAMS_VARIED)
    for number, (name, document) in enumerate(request["recipes"].items()):
        if not _claim(folder, number, worker):
            continue
        try:
            recipe = Recipe.model_validate(frozen(document))
            prints = _prints(backend, recipe, lanes, request["steps"][name])
        except Exception as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            _leave(folder / f"{number}.txt", worker, told.encode())
            continue
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **prints)
        _leave(folder / f"{number}.npz", worker, buffer.getvalue())
        if crowded():
            break
    return 0


def _prints(backend: Backend, recipe: Recipe, lanes: Lanes, steps: int) -> Arrays:
    recording = RecordingBackend(backend)
    trajectory = follow(recording, recipe, lanes, steps)
    names = [phase.name for phase in recipe.phases]
    return summary(trajectory, dict(zip(names, recording.phases, strict=True)))


def _leave(path: Path, worker: str, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f"{path.name}.{worker}")
    part.write_bytes(content)
    part.replace(path)


def _plain(environment: Environment) -> dict[str, Any]:
    plain = {"versions": dict(environment.versions), "switches": dict(environment.switches)}
    return vars(environment) | plain


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main(sys.argv[1:]))
