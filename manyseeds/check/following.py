"""Follows recipes on a backend in a process of its own and keeps the fingerprints of what it does.

One recipe that a backend cannot follow, or that ends the process, is told as such; the others go
on.
"""

from __future__ import annotations

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

from manyseeds.backend import Environment, backend_entry
from manyseeds.check.fingerprint import of_group, of_tensor
from manyseeds.check.recording import Asked, RecordingBackend
from manyseeds.conformance.process import STREAMS_VARIED, run_module
from manyseeds.conformance.trajectory import Trajectory, follow
from manyseeds.errors import ManyseedsError, RequestError
from manyseeds.host import crowded, end_with_parent
from manyseeds.model import frozen
from manyseeds.recipe import Recipe
from manyseeds.settings import Settings
from manyseeds.training import seeds_of

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

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the request for some of its recipes."""
        return {
            "backend": self.backend,
            "device": self.device,
            "lanes": self.lanes,
            "steps": {name: self.steps[name] for name in names},
            "recipes": {name: self.recipes[name].model_dump(mode="json") for name in names},
        }


@dataclass(frozen=True)
class Followed:
    """What a process made of a request.

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


def follow_all(request: Request, folder: Path) -> Followed:
    """Follow every recipe of a request, in as many processes as it takes.

    Raises
    ------
    RequestError
        The backend refuses the device, or is not installed.
    """
    prints: dict[str, Arrays] = {}
    failures: dict[str, str] = {}
    environment: dict[str, Any] = {}
    while todo := [n for n in request.recipes if n not in prints and n not in failures]:
        place = folder / f"from-{len(prints) + len(failures)}"
        place.mkdir(parents=True)
        text = json.dumps(request.as_json(todo))
        (place / "request.json").write_text(text, encoding="utf-8")
        answer = run_module("manyseeds.check.following", str(place))
        if answer.returncode == RequestError.exit_status:
            raise RequestError(answer.stderr.strip().splitlines()[-1])
        for number, name in enumerate(todo):
            found = _read(place / str(number))
            if isinstance(found, str):
                failures[name] = found
            elif found is not None:
                prints[name] = found
        if (place / "environment.json").exists():
            environment = json.loads((place / "environment.json").read_text(encoding="utf-8"))
        if answer.returncode:
            left = [name for name in todo if name not in prints and name not in failures]
            told = _cause(answer.returncode, answer.stderr)
            # One that never opened follows nothing; one that died did so of the recipe in turn.
            failures |= dict.fromkeys(left[:1] if environment else left, told)
    return Followed(prints, failures, environment)


def _read(place: Path) -> Arrays | str | None:
    """Return a recipe's fingerprints, why there are none, or None if it was not its turn yet."""
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


def summary(trajectory: Trajectory, phases: Mapping[str, Asked]) -> Arrays:
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
    """Answer the request in a folder."""
    end_with_parent()
    folder = Path(arguments[0])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    try:
        entry = backend_entry(request["backend"])
        backend = entry.open(_SETTINGS(device=request["device"]))
    except ManyseedsError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    environment = _plain(backend.describe())
    (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    lanes = seeds_of(range(request["lanes"]), STREAMS_VARIED)
    for number, (name, document) in enumerate(request["recipes"].items()):
        place = folder / str(number)
        try:
            recipe = Recipe.model_validate(frozen(document))
            recording = RecordingBackend(backend)
            trajectory = follow(recording, recipe, lanes, request["steps"][name])
        except Exception as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            place.with_suffix(".txt").write_text(told, encoding="utf-8")
            continue
        names = [phase.name for phase in recipe.phases]
        prints = summary(trajectory, dict(zip(names, recording.phases, strict=True)))
        with place.with_suffix(".part").open("wb") as file:
            np.savez(file, allow_pickle=False, **prints)
        place.with_suffix(".part").replace(place.with_suffix(".npz"))
        if crowded():
            break
    return 0


def _plain(environment: Environment) -> dict[str, Any]:
    plain = {"versions": dict(environment.versions), "switches": dict(environment.switches)}
    return vars(environment) | plain


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main(sys.argv[1:]))
