"""What `manyseeds parity` does: follow every recipe on every backend, compare, and account."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

from manyseeds.backend.discovery import absence, backend_entries, backend_entry
from manyseeds.backend.settings import Device
from manyseeds.conformance.caught import caught
from manyseeds.conformance.deviations import deviations
from manyseeds.conformance.matrix import cells, pairs
from manyseeds.conformance.mutations import Mutation
from manyseeds.conformance.mutations import mutations as all_mutations
from manyseeds.conformance.process import trajectories
from manyseeds.conformance.report import ParityReport
from manyseeds.conformance.trajectory import Trajectory
from manyseeds.errors import RequestError, unknown
from manyseeds.processes.host import cores
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.recipe import Recipe

LANES = 3


def parity_recipes() -> dict[str, Recipe]:
    """Return the recipes the kit follows, by name."""
    text = (files("manyseeds.conformance") / "recipes.toml").read_text(encoding="utf-8")
    suite = parse_suite(text, "manyseeds/conformance/recipes.toml")
    return {cell.recipe.name: cell.recipe for cell in suite.cells}


def parity_report(
    backends: Sequence[str] = (),
    recipes: Sequence[str] = (),
    *,
    steps: int = 60,
    mutations: bool = True,
    device: Device = "cpu",
) -> ParityReport:
    """Follow recipes on backends, compare every pair, and see every mutation caught.

    Raises
    ------
    RequestError
        An unknown backend or recipe, or fewer than two backends to compare.
    """
    names = _backends(backends)
    chosen = _recipes(recipes)
    changed = all_mutations(chosen) if mutations else []
    refused = {
        (backend, name): reason
        for backend in names
        for name, recipe in chosen.items()
        if (reason := backend_entry(backend).unsupported(recipe))
    }
    with tempfile.TemporaryDirectory(prefix="manyseeds-parity-") as folder:

        def follow(backend: str) -> dict[str, Trajectory]:
            place = Path(folder) / backend
            return _followed(backend, chosen, changed, refused, steps, device, place)

        with ThreadPoolExecutor(cores()) as pool:
            followed = dict(zip(names, pool.map(follow, names), strict=True))
    known = deviations()
    compared = tuple(pairs(followed, chosen, known))
    return ParityReport(
        backends=tuple(names),
        steps=steps,
        cells=tuple(cells(compared, chosen, names, refused, known)),
        pairs=compared,
        mutations=tuple(caught(followed, changed, names)),
        whole=not recipes,
    )


def _followed(
    backend: str,
    recipes: Mapping[str, Recipe],
    mutations: Sequence[Mutation],
    refused: Mapping[tuple[str, str], str],
    steps: int,
    device: Device,
    folder: Path,
) -> dict[str, Trajectory]:
    """Follow each recipe and then its mutations, most of which share its compiled programs."""
    entry = backend_entry(backend)
    able: dict[str, Recipe] = {}
    for name, recipe in recipes.items():
        if (backend, name) not in refused:
            own = {m.name: m.mutated for m in mutations if m.recipe == name}
            able[name] = recipe
            able |= {n: mutated for n, mutated in own.items() if not entry.unsupported(mutated)}
    return trajectories(backend, able, LANES, steps, device, folder)


def _backends(asked: Sequence[str]) -> list[str]:
    if asked:
        names = [backend_entry(name).name for name in asked]
    else:
        names = [name for name, entry in backend_entries().items() if not absence(entry)]
    if len(set(names)) < 2:
        raise RequestError(
            f"parity compares backends: two are needed, found {', '.join(names) or 'none'}"
        )
    return list(dict.fromkeys(names))


def _recipes(asked: Sequence[str]) -> dict[str, Recipe]:
    known = parity_recipes()
    for name in asked:
        if name not in known:
            raise RequestError(f"--recipe: {unknown('parity recipe', name, known)}")
    return {name: recipe for name, recipe in known.items() if not asked or name in asked}
