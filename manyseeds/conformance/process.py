"""The process in which one backend follows recipes: requests in, one .npz a trajectory out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from manyseeds.backend.discovery import backend_entry
from manyseeds.backend.settings import Settings
from manyseeds.conformance.trajectory import Trajectory, follow
from manyseeds.errors import ManyseedsError, RequestError, RunError
from manyseeds.model import frozen
from manyseeds.processes.host import crowded, end_with_parent
from manyseeds.randomness.lanes import seeds_of
from manyseeds.randomness.streams import Stream
from manyseeds.suite.recipe import Recipe

STREAMS_VARIED: tuple[Stream, ...] = ("init", "order", "dropout", "augment")
"""What a lane's seed gives its value; the split is the protocol's."""


def trajectories(
    backend: str, recipes: Mapping[str, Recipe], lanes: int, steps: int, device: str, folder: Path
) -> dict[str, Trajectory]:
    """Follow recipes by name on a backend, in processes of its own, each as far as it has room."""
    found: dict[str, Trajectory] = {}
    while todo := {name: recipe for name, recipe in recipes.items() if name not in found}:
        request = {
            "backend": backend,
            "device": device,
            "lanes": lanes,
            "steps": steps,
            "recipes": {name: recipe.model_dump(mode="json") for name, recipe in todo.items()},
        }
        found |= _answered(request, folder / f"from-{len(found)}")
    return found


def _answered(request: Mapping[str, Any], folder: Path) -> dict[str, Trajectory]:
    """Return what one process makes of a request: one trajectory at least."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    answer = run_module("manyseeds.conformance.process", str(folder))
    if answer.returncode == RequestError.exit_status:
        raise RequestError(answer.stderr.strip().splitlines()[-1])
    if answer.returncode:
        name = request["backend"]
        raise RunError(f"backend {name!r} failed in the parity kit:\n{answer.stderr[-3000:]}")
    files = {name: folder / f"{number}.npz" for number, name in enumerate(request["recipes"])}
    return {name: _read(file) for name, file in files.items() if file.exists()}


QUICK_TO_COMPILE = "--xla_cpu_use_fusion_emitters=false"
"""A flag of XLA, without which compiling a small program takes twice as long: most of it goes into
making and clearing away a second compiler for each."""


class Lifeline:
    """A pipe that keeps processes alive: where it is cut, by `cut` or our own end, they end."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()
        self.cut = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut = True
        os.close(self._writing)

    def __del__(self) -> None:
        os.close(self.reading)  # a thread may be about to start a process with it until now


def run_module(
    module: str, *arguments: str, lifeline: Lifeline | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a module in a process of its own that ends when this one does, and return its answer.

    XLA is told to compile quickly. One that does not know how is asked again without: it ends the
    process where it does not know a flag.
    """
    if lifeline is None:
        with Lifeline() as own:
            return run_module(module, *arguments, lifeline=own)
    flags = f"{QUICK_TO_COMPILE} {os.environ.get('XLA_FLAGS', '')}".strip()
    found = _run(module, arguments, {"XLA_FLAGS": flags}, lifeline)
    if found.returncode < 0 and QUICK_TO_COMPILE in found.stderr:
        return _run(module, arguments, {}, lifeline)
    return found


def _run(
    module: str, arguments: Sequence[str], variables: Mapping[str, str], lifeline: Lifeline
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        stdin=lifeline.reading,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )


def _read(path: Path) -> Trajectory:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def main(arguments: Sequence[str]) -> int:
    """Answer the request in a folder."""
    end_with_parent()
    folder = Path(arguments[0])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    try:
        entry = backend_entry(request["backend"])
        backend = entry.open(Settings(device=request["device"], precision="float64"))
        lanes = seeds_of(range(request["lanes"]), STREAMS_VARIED)
        for number, document in enumerate(request["recipes"].values()):
            recipe = Recipe.model_validate(frozen(document))
            found = follow(backend, recipe, lanes, request["steps"])
            np.savez(folder / f"{number}.npz", allow_pickle=False, **found)
            if crowded():
                break
    except ManyseedsError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main(sys.argv[1:]))
