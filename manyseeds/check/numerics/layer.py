"""The numerics layer: whether a recipe still follows the trajectory it followed.

Every recipe of the parity kit is followed on every backend in float64. What is kept of it are
fingerprints (`following.summary`), and they are compared with those of the baseline, and with the
other backends' of now.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from manyseeds.backend.discovery import absence, backend_entries, backend_entry
from manyseeds.backend.processor import processor
from manyseeds.backend.settings import Device
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.numerics.cover import covering
from manyseeds.check.numerics.following import Followed, Following, Request
from manyseeds.check.numerics.parting import Differences
from manyseeds.check.store import Baseline, Entry
from manyseeds.conformance.deviations import deviations
from manyseeds.conformance.matrix import Pair, allowed
from manyseeds.conformance.outcome import LANES, parity_recipes
from manyseeds.conformance.parity import TOLERANCE
from manyseeds.errors import RequestError, unknown
from manyseeds.processes.host import cores
from manyseeds.processes.worker_group import WorkerGroup
from manyseeds.suite.recipe import Recipe

FORMAT = 1
"""Of the fingerprints: those of another cannot be compared."""
STEPS, STEPS_OF_PHASE, SCHEDULED_STEPS = 16, 9, 60
"""The parity kit's tasks have 7 steps an epoch at most, its schedules last up to 60 steps."""

_SAME = ("format", "recipe", "steps", "lanes")


@dataclass(frozen=True)
class Measured:
    """What the backends do now.

    Attributes
    ----------
    entries
        One for every recipe that a backend followed.
    failures, refused
        By backend and recipe: why a backend could not follow it; why it does not train it at all.
    backends, recipes
        What was asked for.
    whole
        Whether no recipes were named: then what the baseline has and the kit has not is missing.
    seconds
        What it took.
    """

    entries: tuple[Entry, ...]
    failures: Mapping[tuple[str, str], str]
    refused: Mapping[tuple[str, str], str]
    backends: tuple[str, ...]
    recipes: Mapping[str, Recipe]
    whole: bool
    seconds: float

    @cached_property
    def by_row(self) -> dict[tuple[str, str], Entry]:
        """The entries by backend and recipe."""
        return {(entry.backend, entry.subject): entry for entry in self.entries}


def measure(
    backends: Sequence[str] = (),
    recipes: Sequence[str] = (),
    *,
    thorough: bool = False,
    device: Device = "cpu",
    told: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Follow recipes of the parity kit on backends, in processes of their own.

    Parameters
    ----------
    backends, recipes
        By name. If none: all backends that are installed; the recipes of `covering`.
    thorough
        All recipes there are, instead.
    device
        Where the backends compute.
    told
        Is told a line as each backend is done.

    Raises
    ------
    RequestError
        An unknown backend or recipe; a device that is not there; no backend.
    """
    started = perf_counter()
    names, chosen = _backends(backends), _recipes(recipes, thorough)
    entries: list[Entry] = []
    failures: dict[tuple[str, str], str] = {}
    refused: dict[tuple[str, str], str] = {}
    for backend, found, unable in follow_on(dict.fromkeys(names, chosen), device, told):
        failures |= {(backend, name): reason for name, reason in found.failures.items()}
        refused |= {(backend, name): reason for name, reason in unable.items()}
        context = _context(found, device)
        entries += [
            Entry("numerics", backend, name, context | _conditions(chosen[name]), arrays)
            for name, arrays in found.prints.items()
        ]
    return Measured(
        entries=tuple(entries),
        failures=failures,
        refused=refused,
        backends=tuple(names),
        recipes=chosen,
        whole=not recipes,
        seconds=perf_counter() - started,
    )


def follow_on(
    recipes: Mapping[str, Mapping[str, Recipe]],
    device: Device,
    told: Callable[[str], None] = lambda line: None,
    steps: Callable[[Recipe], int] | None = None,
) -> Iterator[tuple[str, Followed, dict[str, str]]]:
    """Follow each backend's recipes; yield it, what came of it, and why it trains some not at all.

    `recipes` has them by backend and name; `steps` says for how many steps, instead of `steps_of`.
    """
    wanted = steps or steps_of

    with (
        tempfile.TemporaryDirectory(prefix="manyseeds-check-") as folder,
        ThreadPoolExecutor(cores()) as pool,
        WorkerGroup() as group,  # stopped first: then the pool need not wait
    ):
        asked = {backend: _asked(backend, own, device, wanted) for backend, own in recipes.items()}
        started = perf_counter()
        following = {
            backend: Following(request, Path(folder) / backend)
            for backend, (request, _) in asked.items()
        }
        work: dict[str, list[Future[None]]] = {backend: [] for backend in recipes}
        # A thread that has time helps a backend that is not done yet.
        for _ in range(cores()):
            for backend in recipes:
                work[backend].append(pool.submit(following[backend].follow_some, group))
        for backend, (_, refused) in asked.items():
            for one in work[backend]:
                one.result()
            found = following[backend].result()
            told(f"{backend}: {len(found.prints)} recipes, {perf_counter() - started:.0f} s")
            yield backend, found, refused


def _asked(
    backend: str,
    recipes: Mapping[str, Recipe],
    device: Device,
    steps: Callable[[Recipe], int],
) -> tuple[Request, dict[str, str]]:
    """Return what a backend is to follow, and why it trains some recipes not at all."""
    entry = backend_entry(backend)
    refused = {n: why for n, recipe in recipes.items() if (why := entry.unsupported(recipe))}
    able = {name: recipe for name, recipe in recipes.items() if name not in refused}
    shares = {name: steps(recipe) for name, recipe in able.items()}
    return Request(backend, device, able, shares, LANES), refused


def steps_of(recipe: Recipe) -> int:
    """Return for how many steps a recipe is followed.

    Two epochs and the beginning of a third, or, of several phases, more than one epoch of each; all
    of it where a schedule moves the rate, so that every part of the schedule is reached.
    """
    if any(phase.schedule.name != "constant" for phase in recipe.phases):
        return SCHEDULED_STEPS
    return max(STEPS, STEPS_OF_PHASE * len(recipe.phases))


def _context(followed: Followed, device: Device) -> dict[str, Any]:
    environment = followed.environment
    versions = {"manyseeds": version("manyseeds"), **environment.get("versions", {})}
    return {
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


def compare(now: Measured, baseline: Baseline) -> LayerResult:
    """Compare what backends do now with the baseline, and with each other.

    A row for every recipe and backend: "unchanged" up to `TOLERANCE`. Reasons that need no further
    training are given; `reasons.with_reasons` looks for more.
    """
    started = perf_counter()
    rows = {key: _compared(entry, baseline) for key, entry in now.by_row.items()}
    rows |= {key: _failed(key, why, now, baseline) for key, why in now.failures.items()}
    rows |= {
        key: _failed(key, f"it says: {why}", now, baseline)
        for key, why in now.refused.items()
        if baseline.entry("numerics", *key)
    }
    apart = [pair for pair in pairs_now(now) if not pair.fine]
    rows = _with_pairs(_alike(rows, now, apart), apart)
    gone = list(_gone(now, baseline))
    return LayerResult(
        layer="numerics",
        findings=(*rows.values(), *gone),
        comparisons=len(rows),
        seconds=now.seconds + perf_counter() - started,
        notes=tuple(_notes(now, rows)),
    )


def _compared(entry: Entry, baseline: Baseline) -> Finding:
    """Return the row of a recipe on a backend, from its own entries alone."""
    then = baseline.entry("numerics", entry.backend, entry.subject)
    row = Finding(
        layer="numerics",
        backend=entry.backend,
        subject=entry.subject,
        state="unchanged",
        unit="relative error",
        then=then.versions if then else {},
        now=entry.versions,
    )
    if then is None:
        return replace(row, state="missing", told="the baseline has no entry of it", fails=True)
    other = [name for name in _SAME if entry.context.get(name) != then.context.get(name)]
    if other:
        return replace(row, state="not comparable", told=_asks_otherwise(entry, then), fails=True)
    found = differences(entry, then)
    if found.comparison.same:
        return replace(row, size=found.error, told=f"as it was, to {found.error:.1e}")
    return replace(row, state="changed", size=found.error, told=_told(found), fails=True)


def differences(now: Entry, then: Entry) -> Differences:
    """Return an entry's differences from another of the same conditions."""
    return Differences(now.arrays, then.arrays, tuple(now.context["phases"]))


def _told(found: Differences) -> str:
    if found.strangers:
        return f"it has other tensors: {', '.join(found.strangers[:4])} on one side only"
    worst = max(found.comparison.errors, key=lambda check: found.comparison.errors[check])
    where = found.parting.told if found.parting else "it parts nowhere by more than rounding"
    return f"{where}; largest in the {worst}: {found.error:.1e}"


def _asks_otherwise(now: Entry, then: Entry) -> str:
    def told(name: str) -> str:
        if name == "recipe":
            return "another recipe of this name"
        return f"{name} {then.context.get(name)} then, {now.context.get(name)} now"

    other = [told(name) for name in _SAME if now.context.get(name) != then.context.get(name)]
    return f"the baseline was made for another question: {'; '.join(other)}"


def _failed(key: tuple[str, str], why: str, now: Measured, baseline: Baseline) -> Finding:
    """Return the finding of what could not be followed, with the versions of what could be."""
    then = baseline.entry("numerics", *key)
    told = f"{key[0]} cannot follow it now: {why}"
    others = (entry.versions for entry in now.entries if entry.backend == key[0])
    before = then.versions if then else {}
    return Finding(
        "numerics", *key, "missing", told=told, then=before, now=next(others, {}), fails=True
    )


def _gone(now: Measured, baseline: Baseline) -> Iterator[Finding]:
    """Yield what the baseline has and nobody followed, where everything was asked for."""
    kit = parity_recipes()
    for backend in now.backends if now.whole else ():
        for row in baseline.rows("numerics", backend):
            subject = row.split("/", 2)[2]
            if subject not in kit:
                then = baseline.entry("numerics", backend, subject)
                yield Finding(
                    layer="numerics",
                    backend=backend,
                    subject=subject,
                    state="missing",
                    told="the baseline has it, and the parity kit has no such recipe any more",
                    then=then.versions if then else {},
                    fails=True,
                )


def pairs_now(now: Measured) -> Iterator[Pair]:
    """Yield the comparison of every two backends as they are now, on every recipe both follow."""
    known = deviations()
    for name, recipe in now.recipes.items():
        able = [backend for backend in now.backends if (backend, name) in now.by_row]
        for ours, theirs in itertools.combinations(able, 2):
            found = differences(now.by_row[ours, name], now.by_row[theirs, name]).comparison
            yield Pair(name, ours, theirs, found, allowed(found, recipe, (ours, theirs), known))


Rows = dict[tuple[str, str], Finding]


def _alike(rows: Rows, now: Measured, apart: Sequence[Pair]) -> Rows:
    """Say of what changed on all backends alike that it is the harness's doing."""
    disagreed = {pair.recipe for pair in apart}
    found = dict(rows)
    for name in now.recipes:
        own = [key for key in rows if key[1] == name]
        if len(own) < 2 or name in disagreed or any(rows[key].state != "changed" for key in own):
            continue
        for key in own:
            found[key] = replace(found[key], reason=ALIKE)
    return found


ALIKE = "changed on every backend alike, and they agree: the harness's doing, not a framework's"


def _with_pairs(rows: Rows, apart: Sequence[Pair]) -> Rows:
    """Add what backends that disagree now say of each other to the rows of those concerned."""
    found = dict(rows)
    for name in dict.fromkeys(pair.recipe for pair in apart):
        own = [pair for pair in apart if pair.recipe == name]
        for backend in _concerned(rows, own):
            key = backend, name
            mine = [pair for pair in own if backend in (pair.ours, pair.theirs)]
            said = "; ".join(_apart(pair, backend) for pair in mine)
            row = found[key]
            found[key] = replace(row, told=f"{row.told}; {said}")
            if row.state == "unchanged":
                size = max(pair.found.error for pair in mine)
                found[key] = replace(found[key], state="changed", size=size, fails=True)
    return found


def _concerned(rows: Rows, apart: Sequence[Pair]) -> list[str]:
    """Return the backends to blame: those that changed, else those that disagree with the most."""
    counts: dict[str, int] = {}
    for pair in apart:
        for backend in (pair.ours, pair.theirs):
            counts[backend] = counts.get(backend, 0) + 1
    changed = [b for b in counts if rows[b, apart[0].recipe].state == "changed"]
    most = max(counts.values())
    return changed or [backend for backend, count in counts.items() if count == most]


def _apart(pair: Pair, backend: str) -> str:
    other = pair.theirs if backend == pair.ours else pair.ours
    errors = pair.found.errors
    first = next(check for check, error in errors.items() if error > TOLERANCE)
    return f"disagrees with {other} now: {pair.found.error:.1e}, first in the {first}"


def _notes(now: Measured, rows: Rows) -> Iterator[str]:
    same = [row.size for row in rows.values() if row.state == "unchanged"]
    largest = f"; the largest error of what is unchanged is {max(same):.1e}" if same else ""
    yield f"{len(now.entries)} trajectories in float64, tolerance {TOLERANCE:g}{largest}"
    kit = len(parity_recipes())
    if now.whole and len(now.recipes) < kit:
        yield (
            f"{len(now.recipes)} of {kit} recipes, which have every technique and setting between "
            "them: --thorough follows all"
        )
    for (backend, name), why in now.refused.items():
        yield f"{backend} does not train {name}: {why}"


def _backends(asked: Sequence[str]) -> list[str]:
    if asked:
        return list(dict.fromkeys(backend_entry(name).name for name in asked))
    names = [name for name, entry in backend_entries().items() if not absence(entry)]
    if not names:
        raise RequestError("no backend is installed: see `manyseeds list backends`")
    return names


def _recipes(asked: Sequence[str], thorough: bool) -> dict[str, Recipe]:
    known = parity_recipes()
    for name in asked:
        if name not in known:
            raise RequestError(f"--recipe: {unknown('parity recipe', name, known)}")
    wanted = asked or (known if thorough else covering(known))
    return {name: recipe for name, recipe in known.items() if name in wanted}
