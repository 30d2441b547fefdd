"""Follows recipes on a backend in worker processes; also the module that these workers run.

Trajectories travel as .npz files in a private folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.settings import Settings
from manyseeds.conformance.quick_compiling import QuickCompiling
from manyseeds.conformance.trajectory import Trajectory, follow
from manyseeds.errors import RunError
from manyseeds.model import frozen
from manyseeds.processes.death import WorkerDiedError
from manyseeds.processes.framing import Message
from manyseeds.processes.host import crowded
from manyseeds.processes.serving import Send, serve
from manyseeds.processes.worker_process import Worker
from manyseeds.randomness.lanes import seeds_of
from manyseeds.randomness.streams import Stream
from manyseeds.suite.recipe import Recipe

STREAMS_VARIED: tuple[Stream, ...] = ("init", "order", "dropout", "augment")
"""The streams that get their value from a lane's seed; the split is the same in all lanes."""

_MODULE = "manyseeds.conformance.process"


def trajectories(
    backend: str, recipes: Mapping[str, Recipe], lanes: int, steps: int, device: str, folder: Path
) -> dict[str, Trajectory]:
    """Follow recipes on a backend and return their trajectories, by name.

    A worker that runs short of memory mappings is replaced by another, which continues.

    Raises
    ------
    RequestError
        The backend is not installed, or refuses the device.
    RunError
        A worker died.
    """
    folder.mkdir(parents=True, exist_ok=True)
    followed: dict[str, Trajectory] = {}
    quick = QuickCompiling(backend)
    while rest := {name: recipe for name, recipe in recipes.items() if name not in followed}:
        request = {
            "backend": backend,
            "device": device,
            "lanes": lanes,
            "steps": steps,
            "recipes": {name: recipe.model_dump(mode="json") for name, recipe in rest.items()},
            "folder": str(folder),
        }
        environment = quick.environment()
        try:
            with Worker.start(_MODULE, environment=environment) as worker:
                worker.send(request)
                _receive_all(worker, folder, followed)
        except WorkerDiedError as error:
            if not quick.refused(error.death, environment):
                raise RunError(
                    f"backend {backend!r} failed in the parity kit: its worker "
                    f"{error.death.cause}\n{error.death.log[-3000:]}"
                ) from error
    return followed


def _receive_all(worker: Worker, folder: Path, followed: dict[str, Trajectory]) -> None:
    """Add the trajectories that a worker sends until it stops: at least one."""
    while True:
        answer = worker.receive()
        if answer["type"] == "stopped":
            return
        path = folder / answer["file"]
        with np.load(path, allow_pickle=False) as file:
            followed[answer["recipe"]] = {name: file[name] for name in file.files}
        path.unlink()


def answer(request: Message, send: Send) -> None:
    """Follow the recipes of a request, until memory mappings run short."""
    entry = backend_entry(request["backend"])
    backend = entry.open(Settings(device=request["device"], precision="float64"))
    lanes = seeds_of(range(request["lanes"]), STREAMS_VARIED)
    for number, (name, document) in enumerate(request["recipes"].items()):
        recipe = Recipe.model_validate(frozen(document))
        trajectory = follow(backend, recipe, lanes, request["steps"])
        file = f"{number}.npz"
        np.savez(Path(request["folder"]) / file, allow_pickle=False, **trajectory)
        send({"type": "followed", "recipe": name, "file": file})
        if crowded():
            break
    send({"type": "stopped"})


if __name__ == "__main__":
    serve(answer)
