"""Measures the numerics: follows recipes on backends and keeps fingerprints of their trajectories.

The recipes are those of the parity kit, followed in float64 in processes of their own
(`manyseeds.check.numerics.following`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from manyseeds.backend.discovery import absence, backend_entries, backend_entry
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Device
from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.numerics.following import Followed, Following, Request
from manyseeds.check.numerics.recipe_selection import covering
from manyseeds.check.rows import Row
from manyseeds.conformance.recipes import LANES, named_recipes, parity_recipes
from manyseeds.errors import RequestError
from manyseeds.processes.host import cores
from manyseeds.processes.worker_group import WorkerGroup
from manyseeds.suite.recipe import Recipe

FORMAT = 1
"""The format of the fingerprints: those of another format cannot be compared."""
STEPS, STEPS_PER_PHASE, SCHEDULED_STEPS = 16, 9, 60
"""The parity kit's tasks have 7 steps an epoch at most, its schedules last up to 60 steps."""


def _ignore(line: str) -> None:
    """Ignore a line of progress."""


@dataclass(frozen=True)
class NumericsOptions:
    """How the numerics are measured.

    Attributes
    ----------
    thorough
        Whether all recipes of the parity kit are followed, rather than those of `covering`.
    device
        Where the backends compute.
    progress
        Called with a line of text when a backend is done.
    """

    thorough: bool = False
    device: Device = "cpu"
    progress: Callable[[str], None] = _ignore


@dataclass(frozen=True)
class NumericsMeasurement:
    """The fingerprints of recipes on backends.

    Attributes
    ----------
    entries
        One for every recipe that a backend followed.
    failures
        Why a backend failed to follow a recipe.
    unsupported
        Why a backend does not support a recipe.
    backends, recipes
        Everything that was to be followed.
    whole
        Whether no recipes were named; only then does a recipe count as missing that the baseline
        has and the kit does not.
    seconds
        How long it took.
    """

    entries: tuple[BaselineEntry, ...]
    failures: Mapping[Row, str]
    unsupported: Mapping[Row, str]
    backends: tuple[str, ...]
    recipes: Mapping[str, Recipe]
    whole: bool
    seconds: float

    @cached_property
    def by_row(self) -> dict[Row, BaselineEntry]:
        """The entries by row."""
        return {entry.row: entry for entry in self.entries}


def row_of(backend: str, recipe: str) -> Row:
    """Return the row of a recipe on a backend."""
    return Row("numerics", backend, recipe)


def measure(
    backends: Sequence[str] = (),
    recipes: Sequence[str] = (),
    options: NumericsOptions | None = None,
) -> NumericsMeasurement:
    """Follow recipes of the parity kit on backends, in processes of their own.

    Parameters
    ----------
    backends, recipes
        By name. Without any: all installed backends; the recipes of `covering`, or all.

    Raises
    ------
    RequestError
        A backend or recipe is unknown, the device does not exist, or no backend is installed.
    """
    started = perf_counter()
    options = options or NumericsOptions()
    names, chosen = _backends(backends), _recipes(recipes, options.thorough)
    entries: list[BaselineEntry] = []
    failures: dict[Row, str] = {}
    unsupported: dict[Row, str] = {}
    for backend, answer, reasons in follow_on(
        dict.fromkeys(names, chosen), options.device, options.progress
    ):
        failures |= {row_of(backend, name): reason for name, reason in answer.failures.items()}
        unsupported |= {row_of(backend, name): reason for name, reason in reasons.items()}
        context = _context(answer, options.device)
        entries += [
            BaselineEntry(row_of(backend, name), context | _conditions(chosen[name]), arrays)
            for name, arrays in answer.prints.items()
        ]
    return NumericsMeasurement(
        entries=tuple(entries),
        failures=failures,
        unsupported=unsupported,
        backends=tuple(names),
        recipes=chosen,
        whole=not recipes,
        seconds=perf_counter() - started,
    )


def follow_on(
    recipes: Mapping[str, Mapping[str, Recipe]],
    device: Device,
    progress: Callable[[str], None] = _ignore,
    steps: Callable[[Recipe], int] | None = None,
) -> Iterator[tuple[str, Followed, dict[str, str]]]:
    """Follow recipes on each backend; yield the backend, its results, and unsupported recipes.

    Parameters
    ----------
    recipes
        By backend and name.
    steps
        Returns the number of steps of a recipe; `steps_of` if not given.
    """
    steps_for = steps or steps_of

    with (
        tempfile.TemporaryDirectory(prefix="manyseeds-check-") as folder,
        ThreadPoolExecutor(cores()) as pool,
        WorkerGroup() as group,  # stopped first: then the pool need not wait
    ):
        requests = {
            backend: _request(backend, own, device, steps_for) for backend, own in recipes.items()
        }
        started = perf_counter()
        following = {
            backend: Following(request, Path(folder) / backend)
            for backend, (request, _) in requests.items()
        }
        work: dict[str, list[Future[None]]] = {backend: [] for backend in recipes}
        # A thread that is done with one backend helps with the next.
        for _ in range(cores()):
            for backend in recipes:
                work[backend].append(pool.submit(following[backend].follow_some, group))
        for backend, (_, unsupported) in requests.items():
            for future in work[backend]:
                future.result()
            answer = following[backend].result()
            progress(f"{backend}: {len(answer.prints)} recipes, {perf_counter() - started:.0f} s")
            yield backend, answer, unsupported


def _request(
    backend: str,
    recipes: Mapping[str, Recipe],
    device: Device,
    steps: Callable[[Recipe], int],
) -> tuple[Request, dict[str, str]]:
    """Return the request to a backend, and why it does not support the other recipes."""
    entry = backend_entry(backend)
    unsupported = {n: why for n, recipe in recipes.items() if (why := entry.unsupported(recipe))}
    able = {name: recipe for name, recipe in recipes.items() if name not in unsupported}
    steps_by_name = {name: steps(recipe) for name, recipe in able.items()}
    return Request(backend, device, able, steps_by_name, LANES), unsupported


def steps_of(recipe: Recipe) -> int:
    """Return the number of steps for which a recipe is followed.

    These are two epochs and the beginning of a third; with several phases, more than one epoch of
    each; with a schedule, enough steps to reach every part of it.
    """
    if any(phase.schedule.name != "constant" for phase in recipe.phases):
        return SCHEDULED_STEPS
    return max(STEPS, STEPS_PER_PHASE * len(recipe.phases))


def _context(answer: Followed, device: Device) -> dict[str, Any]:
    environment = answer.environment
    versions = {"manyseeds": version("manyseeds"), **environment.get("versions", {})}
    left_out = environment.get("flags_left_out")
    return ({"flags_left_out": list(left_out)} if left_out else {}) | {
        "versions": versions,
        "device": environment.get("device", device),
        "device_name": environment.get("device_name", ""),
        "machine": processor(),
    }


def _conditions(recipe: Recipe) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "recipe": recipe.fingerprint(),
        "steps": steps_of(recipe),
        "lanes": LANES,
        "phases": [phase.name for phase in recipe.phases],
    }


def _backends(names: Sequence[str]) -> list[str]:
    if names:
        return list(dict.fromkeys(backend_entry(name).name for name in names))
    installed = [name for name, entry in backend_entries().items() if not absence(entry)]
    if not installed:
        raise RequestError("no backend is installed: see `manyseeds list backends`")
    return installed


def _recipes(names: Sequence[str], thorough: bool) -> dict[str, Recipe]:
    kit = parity_recipes()
    return named_recipes(kit, names or ([*kit] if thorough else covering(kit)))
