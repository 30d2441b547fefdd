"""What `manyseeds parity` does and prints."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

from manyseeds.backend import absence, backend_entries, backend_entry
from manyseeds.conformance.mutations import mutations
from manyseeds.conformance.parity import TOLERANCE, compare
from manyseeds.conformance.process import trajectories
from manyseeds.conformance.trajectory import Trajectory
from manyseeds.errors import RequestError, unknown
from manyseeds.outcome import Outcome
from manyseeds.recipe import Recipe
from manyseeds.settings import Device
from manyseeds.suite_file import parse_suite

LANES = 3

Followed = Mapping[str, Mapping[str, Trajectory]]
"""Trajectories by backend and by name of recipe."""


def parity_recipes() -> dict[str, Recipe]:
    """Return the recipes the kit follows, by name."""
    text = (files("manyseeds.conformance") / "recipes.toml").read_text(encoding="utf-8")
    suite = parse_suite(text, "manyseeds/conformance/recipes.toml")
    return {cell.recipe.name: cell.recipe for cell in suite.cells}


def parity_outcome(
    backends: Sequence[str],
    recipes: Sequence[str],
    *,
    steps: int,
    mutations: bool,
    device: Device,
) -> Outcome:
    """Follow recipes on backends, compare every pair, and see every mutation caught."""
    names = _backends(backends)
    chosen = _recipes(recipes)
    requests = dict(chosen)
    if mutations:
        requests |= _mutated(chosen)
    with tempfile.TemporaryDirectory(prefix="manyseeds-parity-") as folder:
        followed = _follow(names, requests, steps, device, Path(folder))
        rows = [*_pairs(followed, names, chosen)]
        if mutations:
            rows += _caught(followed, names, chosen, list(requests)[len(chosen) :])
    failed = sum(row[-1] != "ok" for row in rows)
    columns = (
        "recipe",
        "check",
        "ours",
        "theirs",
        "loss",
        "gradient",
        "weights",
        "scores",
        "verdict",
    )
    note = f"{len(rows)} checks, {failed} failed; {steps} steps, float64, tolerance {TOLERANCE:g}"
    return Outcome("Parity", columns, tuple(rows), 1 if failed else 0, (note,))


def _follow(
    backends: Sequence[str],
    requests: Mapping[str, Recipe],
    steps: int,
    device: Device,
    folder: Path,
) -> Followed:
    with ThreadPoolExecutor(max_workers=1) as pool:
        futures = {
            name: pool.submit(trajectories, name, requests, LANES, steps, device, folder / name)
            for name in backends
        }
        return {name: future.result() for name, future in futures.items()}


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


def _mutated(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
    return {
        f"{name}: {mutation.place}": mutation.recipe
        for name, recipe in recipes.items()
        for mutation in mutations(recipe)
    }


def _pairs(
    followed: Followed, backends: Sequence[str], recipes: Mapping[str, Recipe]
) -> list[tuple[Any, ...]]:
    rows = []
    for name in recipes:
        for ours, theirs in itertools.combinations(backends, 2):
            found = compare(followed[ours][name], followed[theirs][name])
            errors = (found.loss, found.gradient, found.weights, found.scores)
            verdict = "ok" if found.same else "differs"
            rows.append((name, "parity", ours, theirs, *errors, verdict))
    return rows


def _caught(
    followed: Followed,
    backends: Sequence[str],
    recipes: Mapping[str, Recipe],
    mutated: Sequence[str],
) -> list[tuple[Any, ...]]:
    """Compare each mutated trajectory of a backend with another backend's plain one."""
    rows = []
    for name in mutated:
        plain, place = name.split(": ")
        for number, ours in enumerate(backends):
            theirs = backends[(number + 1) % len(backends)]
            found = compare(followed[ours][name], followed[theirs][plain])
            errors = (found.loss, found.gradient, found.weights, found.scores)
            verdict = "missed" if found.same else "ok"
            rows.append((plain, f"{place} × 1.01", ours, theirs, *errors, verdict))
    return rows
