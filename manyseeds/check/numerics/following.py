"""Follows recipes on a backend in worker processes and keeps the fingerprints of their steps.

Workers share the recipes of a request. A recipe that a backend cannot follow, or that kills its
worker, becomes a failure; the others go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from manyseeds.conformance.process import STREAMS_VARIED
from manyseeds.conformance.quick_compiling import QuickCompiling
from manyseeds.conformance.trajectory import Trajectory, follow
from manyseeds.errors import RunError
from manyseeds.model import frozen
from manyseeds.processes.death import Death, WorkerDiedError
from manyseeds.processes.framing import Message
from manyseeds.processes.host import crowded
from manyseeds.processes.serving import Send, serve
from manyseeds.processes.worker_group import WorkerGroup
from manyseeds.processes.worker_process import Worker
from manyseeds.randomness.lanes import Lanes, seeds_of
from manyseeds.suite.recipe import Recipe

Arrays = dict[str, NDArray[Any]]

_MODULE = "manyseeds.check.numerics.following"
_SETTINGS = partial(Settings, precision="float64", threads=1)
"""One thread: for layers this small several spend their time waiting for each other."""


@dataclass(frozen=True)
class Request:
    """Recipes to follow on a backend, in float64.

    Attributes
    ----------
    recipes
        Recipes by name.
    steps
        The number of steps of each recipe, by name.
    lanes
        The number of lanes, which have the seeds 0, 1, ….
    """

    backend: str
    device: str
    recipes: Mapping[str, Recipe]
    steps: Mapping[str, int]
    lanes: int


@dataclass(frozen=True)
class Followed:
    """The results of a request.

    Attributes
    ----------
    prints
        Fingerprints by recipe: arrays by name, of `summary`.
    failures
        Reasons why recipes could not be followed, by recipe.
    environment
        `Backend.describe` as JSON; {} if the backend could not be opened.
    """

    prints: Mapping[str, Arrays]
    failures: Mapping[str, str]
    environment: Mapping[str, Any]


@dataclass
class Following:
    """A request in progress, shared by threads that each have a worker.

    Attributes
    ----------
    request
        The recipes to follow.
    folder
        A private folder, through which arrays travel.
    """

    request: Request
    folder: Path
    _waiting: deque[str] = field(init=False)
    _prints: dict[str, Arrays] = field(default_factory=dict)
    _failures: dict[str, str] = field(default_factory=dict)
    _environment: dict[str, Any] = field(default_factory=dict)
    _quick: QuickCompiling = field(init=False)

    def __post_init__(self) -> None:
        self._quick = QuickCompiling(self.request.backend)
        self.folder.mkdir(parents=True)
        self._waiting = deque(self.request.recipes)

    def follow_some(self, group: WorkerGroup) -> None:
        """Follow recipes on workers, one at a time, until none waits or the group is stopped.

        Any number of threads may call it at once: each takes the next recipe when it is free.

        Raises
        ------
        RequestError
            The backend refuses the device, or is not installed.
        """
        while self._waiting and not group.stopped:
            environment = self._quick.environment()
            with group.start(_MODULE, environment=environment) as worker:
                try:
                    self._open(worker)
                    self._follow_on(worker, environment)
                except WorkerDiedError as error:
                    if not self._quick.refused(error.death, environment):
                        self._fail_all(_cause(error.death))
                except RunError as error:
                    self._fail_all(str(error))

    def result(self) -> Followed:
        """Return the results so far, in the order of the request."""
        names = self.request.recipes
        return Followed(
            {name: self._prints[name] for name in names if name in self._prints},
            {name: self._failures[name] for name in names if name in self._failures},
            self._environment,
        )

    def _open(self, worker: Worker) -> None:
        worker.send(
            {
                "type": "open",
                "backend": self.request.backend,
                "device": self.request.device,
                "lanes": self.request.lanes,
            }
        )
        self._environment = worker.receive()["environment"]

    def _follow_on(self, worker: Worker, environment: Mapping[str, str]) -> None:
        """Have a worker follow recipes until none waits, or it dies or is crowded.

        Raises
        ------
        WorkerDiedError
            It does not know a flag in its environment; its recipe waits for another.
        """
        while name := self._take():
            worker.send(self._recipe_request(name))
            try:
                answer = worker.receive()
            except WorkerDiedError as error:
                if self._quick.refused(error.death, environment):
                    self._waiting.appendleft(name)
                    raise
                self._failures[name] = _cause(error.death)
                return
            if "failure" in answer:
                self._failures[name] = answer["failure"]
            else:
                self._prints[name] = self._read(name)
            if answer["crowded"]:
                return

    def _recipe_request(self, name: str) -> Message:
        return {
            "type": "follow",
            "recipe": self.request.recipes[name].model_dump(mode="json"),
            "steps": self.request.steps[name],
            "file": str(self._file(name)),
        }

    def _file(self, name: str) -> Path:
        return self.folder / f"{list(self.request.recipes).index(name)}.npz"

    def _read(self, name: str) -> Arrays:
        path = self._file(name)
        with np.load(path, allow_pickle=False) as file:
            prints = {name: file[name] for name in file.files}
        path.unlink()
        return prints

    def _take(self) -> str | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _fail_all(self, cause: str) -> None:
        """Fail all recipes that wait: a backend that does not open can follow none of them."""
        while name := self._take():
            self._failures[name] = cause


def _cause(death: Death) -> str:
    return f"its process {death.cause}: {death.last_line}"


def summary(trajectory: Trajectory, phases: Mapping[str, RecordedPhase]) -> Arrays:
    """Return a trajectory's fingerprints.

    Returns
    -------
    Arrays
        By name: "PHASE/loss" and "PHASE/penalty" [lanes, steps] as they are; "PHASE/gradient",
        "PHASE/moved" (weights after each step) and "PHASE/averages" (moving averages)
        [lanes, steps, …], each of a group of tensors; "PHASE/asked/…", the requests of the harness;
        "tensors" [names, lanes, …] of single tensors, and their "names":
        "PHASE/gradient/LAYER/VARIABLE" at the phase's first step, "PHASE/weights/…" at its end,
        "PHASE/scores/…".
    """
    prints: Arrays = {}
    single: Arrays = {}
    for phase, recorded in phases.items():
        start = f"{phase}/"
        own = {n.removeprefix(start): v for n, v in trajectory.items() if n.startswith(start)}
        gradients = {name: v for name, v in own.items() if name.startswith("gradient/")}
        prints |= {f"{start}{name}": own[name] for name in ("loss", "penalty") if name in own}
        if gradients:
            prints[f"{start}gradient"] = of_group(gradients)
        prints |= {f"{start}{name}": values for name, values in recorded.arrays().items()}
        for name, values in own.items():
            if name not in ("loss", "penalty"):
                at = values[:, 0] if name in gradients else values
                single[f"{start}{name}"] = of_tensor(name, at)
    prints["names"] = np.array(list(single))
    prints["tensors"] = np.stack(list(single.values()))
    return prints


class FollowingRequests:
    """Answers the requests to a worker: to open a backend, then to follow recipes on it."""

    def __init__(self) -> None:
        self._backend: Backend
        self._lanes: Lanes

    def answer(self, request: Message, send: Send) -> None:
        """Answer a request."""
        if request["type"] == "open":
            entry = backend_entry(request["backend"])
            self._backend = entry.open(_SETTINGS(device=request["device"]))
            self._lanes = seeds_of(range(request["lanes"]), STREAMS_VARIED)
            send({"environment": _plain(self._backend.describe())})
        else:
            send(self._follow(request) | {"crowded": crowded()})

    def _follow(self, request: Message) -> Message:
        try:
            recipe = Recipe.model_validate(frozen(request["recipe"]))
            prints = _prints(self._backend, recipe, self._lanes, request["steps"])
        except Exception as error:  # the worker can follow the others
            return {"failure": f"{type(error).__name__}: {error}".splitlines()[0]}
        np.savez(request["file"], allow_pickle=False, **prints)
        return {}


def _prints(backend: Backend, recipe: Recipe, lanes: Lanes, steps: int) -> Arrays:
    recording = RecordingBackend(backend)
    trajectory = follow(recording, recipe, lanes, steps)
    names = [phase.name for phase in recipe.phases]
    return summary(trajectory, dict(zip(names, recording.phases, strict=True)))


def _plain(environment: Environment) -> dict[str, Any]:
    plain = {"versions": dict(environment.versions), "switches": dict(environment.switches)}
    return vars(environment) | plain


if __name__ == "__main__":
    serve(FollowingRequests().answer)
