"""Runs the parity kit: follow every recipe on every backend, compare, and report."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from manyseeds.backend.discovery import absence, backend_entries, backend_entry
from manyseeds.backend.settings import Device
from manyseeds.conformance.deviations import deviations
from manyseeds.conformance.matrix import cells, pairs
from manyseeds.conformance.mutation_results import mutation_results
from manyseeds.conformance.mutations import Mutation
from manyseeds.conformance.mutations import mutations as mutations_of
from manyseeds.conformance.process import trajectories
from manyseeds.conformance.recipes import LANES, named_recipes, parity_recipes
from manyseeds.conformance.report import ParityReport
from manyseeds.conformance.trajectory import Trajectory
from manyseeds.errors import RequestError
from manyseeds.processes.host import cores
from manyseeds.suite.recipe import Recipe


@dataclass(frozen=True)
class _Work:
    """Everything that is followed.

    Attributes
    ----------
    unsupported
        Reasons why a backend does not support a recipe, by backend and recipe.
    """

    recipes: Mapping[str, Recipe]
    mutations: Sequence[Mutation]
    unsupported: Mapping[tuple[str, str], str]
    steps: int
    device: Device


def parity_report(
    backends: Sequence[str] = (),
    recipes: Sequence[str] = (),
    *,
    steps: int = 60,
    mutations: bool = True,
    device: Device = "cpu",
) -> ParityReport:
    """Follow recipes on backends, compare every pair, and check that every mutation is caught.

    Parameters
    ----------
    backends, recipes
        Names; () takes all installed backends, and all recipes of the kit.
    steps
        Training steps to follow.
    mutations
        Whether to follow mutated recipes, too.

    Raises
    ------
    RequestError
        A backend or recipe is unknown, or there are fewer than two backends to compare.
    """
    names = _backends(backends)
    kit = parity_recipes()
    chosen = named_recipes(kit, recipes or kit)
    unsupported = _unsupported(names, chosen)
    changed = mutations_of(chosen) if mutations else []
    work = _Work(chosen, changed, unsupported, steps, device)
    with (
        tempfile.TemporaryDirectory(prefix="manyseeds-parity-") as folder,
        ThreadPoolExecutor(cores()) as pool,
    ):
        answers = pool.map(lambda backend: _followed(backend, work, Path(folder) / backend), names)
        followed = dict(zip(names, answers, strict=True))
    known = deviations()
    compared = tuple(pairs(followed, chosen, known))
    return ParityReport(
        backends=tuple(names),
        steps=steps,
        cells=tuple(cells(compared, chosen, names, unsupported, known)),
        pairs=compared,
        mutations=tuple(mutation_results(followed, changed, names)),
        whole=not recipes,
    )


def _unsupported(
    backends: Sequence[str], recipes: Mapping[str, Recipe]
) -> dict[tuple[str, str], str]:
    return {
        (backend, name): reason
        for backend in backends
        for name, recipe in recipes.items()
        if (reason := backend_entry(backend).unsupported(recipe))
    }


def _followed(backend: str, work: _Work, folder: Path) -> dict[str, Trajectory]:
    """Follow each recipe and then its mutations, most of which share its compiled programs."""
    entry = backend_entry(backend)
    able: dict[str, Recipe] = {}
    for name, recipe in work.recipes.items():
        if (backend, name) not in work.unsupported:
            own = {m.name: m.mutated for m in work.mutations if m.recipe == name}
            able[name] = recipe
            able |= {n: mutated for n, mutated in own.items() if not entry.unsupported(mutated)}
    return trajectories(backend, able, LANES, work.steps, work.device, folder)


def _backends(named: Sequence[str]) -> list[str]:
    if named:
        names = [backend_entry(name).name for name in named]
    else:
        names = [name for name, entry in backend_entries().items() if not absence(entry)]
    if len(set(names)) < 2:
        raise RequestError(
            f"parity compares backends and needs two: there is {', '.join(names) or 'none'}"
        )
    return list(dict.fromkeys(names))
