"""Likely reasons of changed rows, from evidence: who shares the change, and what undoes it.

Undoing follows variants of the recipe on the backend as it is now (a hyperparameter scaled, a
technique replaced by its sibling, a convention flipped): a variant that follows the baseline's
trajectory again names what has changed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

import numpy as np
from pydantic import ValidationError

from manyseeds.backend.settings import Device
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.numerics.layer import Measured, differences, follow_on, steps_of
from manyseeds.check.numerics.parting import DONE, Arrays, Differences, Parting
from manyseeds.check.store import Baseline
from manyseeds.conformance.mutations import changed_at, siblings
from manyseeds.conformance.parity import TOLERANCE
from manyseeds.model import Model
from manyseeds.suite.recipe import Phase, Recipe
from manyseeds.suite.techniques_used import Place, models, used
from manyseeds.techniques.registry import technique_name
from manyseeds.techniques.technique import Technique

FACTORS = (10.0, 0.1, 1.01, 1 / 1.01, 1 / 0.99, 0.99, 2.0, 0.5)
UNDONE = 1000.0
"""By how much a variant must be nearer to the baseline, if it does not reach it."""
_ABSENT = {("schedule", "constant")}
"""Techniques that stand for none."""
MOST_VARIANTS = 60
MOST_STRUCTURES = 6
"""Variants that need programs of their own, which take seconds to compile."""

_TO_BLAME: Mapping[str, frozenset[str]] = {
    "first": frozenset({"initialiser"}),
    "images": frozenset({"augmentation"}),
    "rate": frozenset({"schedule", "phase"}),
    "momentum": frozenset({"schedule", "optimizer"}),
    "loss": frozenset({"activation", "layer", "regularisation"}),
    "penalty": frozenset({"regularisation"}),
    "gradient": frozenset({"activation", "layer", "regularisation"}),
    "averages": frozenset({"layer"}),
    "moved": frozenset({"optimizer", "clipping", "regularisation", "phase"}),
    "weights": frozenset({"pruning", "regularisation"}),
    "scores": frozenset({"layer", "activation"}),
    "length": frozenset({"regularisation"}),
}
"""Kinds of techniques that can be to blame, by where two trajectories part."""


@dataclass(frozen=True)
class Variant:
    """A recipe changed in one way, everywhere it has the technique.

    Attributes
    ----------
    change
        In words: "adam.epsilon × 10".
    structural
        Whether a backend may have to compile it anew.
    """

    change: str
    recipe: Recipe
    structural: bool


def with_reasons(
    result: LayerResult,
    now: Measured,
    baseline: Baseline,
    *,
    most: int = 3,
    device: Device = "cpu",
    told: Callable[[str], None] = lambda line: None,
) -> LayerResult:
    """Return a layer's result with the likely reasons of its changed rows.

    Parameters
    ----------
    result, now, baseline
        What `compare` returned, and of what.
    most
        Rows a backend to undo, those of the fewest techniques first; 0: undo none.
    device
        Where the backends compute.
    told
        Is told a line as each row is done.
    """
    rows = {row.row: row for row in result.findings}
    for backend in now.backends:
        own = [row for row in result.findings if row.backend == backend]
        changed = [row for row in own if row.state == "changed" and row.subject in now.recipes]
        shared = shared_techniques(own, now.recipes)
        undoing = sorted(changed, key=lambda row: len(used(now.recipes[row.subject])))[:most]
        for row in changed:
            reasons = [row.reason, shared]
            if row in undoing and (undone := _undone(row, now, baseline, device)):
                told(f"{row.row}: {undone}")
                reasons.append(undone)
            reason = "; ".join(reason for reason in reasons if reason)
            rows[row.row] = replace(row, reason=reason)
    return replace(result, findings=tuple(rows.values()))


def shared_techniques(rows: Sequence[Finding], recipes: Mapping[str, Recipe]) -> str:
    """Say which techniques all changed recipes of a backend have, and no unchanged one."""
    techniques = {row.subject: used(recipes[row.subject]) for row in rows if row.subject in recipes}
    changed = [row.subject for row in rows if row.state == "changed" and row.subject in techniques]
    unchanged = [row.subject for row in rows if row.state == "unchanged"]
    if not changed:
        return ""
    if not unchanged and len(changed) > 1:
        return f"all {len(changed)} recipes changed"
    common = frozenset.intersection(*(techniques[name] for name in changed))
    own = common.difference(_ABSENT, *(techniques[name] for name in unchanged))
    if not own or not unchanged:
        return ""
    names = " or ".join(name for _, name in sorted(own))
    counted = f"the {len(changed)} recipes" if len(changed) > 1 else "the one recipe"
    return f"changed are {counted} with {names}, and no others"


def _undone(row: Finding, now: Measured, baseline: Baseline, device: Device) -> str:
    """Say which variant of a changed row's recipe follows the baseline again, or ""."""
    key = row.backend, row.subject
    then = baseline.entry("numerics", *key)
    if then is None or key not in now.by_row:
        return ""
    found = differences(now.by_row[key], then)
    parting, recipe = found.parting, now.recipes[row.subject]
    if parting is None or found.strangers:
        return ""
    tried = list(variants(recipe, parting))
    steps = _steps(recipe, parting)
    wanted = {row.backend: {variant.change: variant.recipe for variant in tried}}
    ((_, followed, _),) = follow_on(wanted, device, steps=lambda _: steps)
    errors = {
        change: _error(prints, then.arrays, found.phases, steps)
        for change, prints in followed.prints.items()
    }
    before = _error(now.by_row[key].arrays, then.arrays, found.phases, steps)
    best = min(errors, key=lambda change: errors[change], default="")
    if best and undoes(before, errors[best]):
        return f"undone by {best} (error {before:.1e} → {errors[best]:.1e})"
    return ""


def undoes(before: float, after: float) -> bool:
    """Return whether a variant with the second error undoes a change with the first.

    Where something was 0 then, the error is infinite: only following the baseline again will do.
    """
    nearer = before / UNDONE if math.isfinite(before) else 0.0
    return after <= max(TOLERANCE, nearer)


def _steps(recipe: Recipe, parting: Parting) -> int:
    """Return for how many steps variants are followed: two beyond the parting, where that will do.

    Several phases share the steps out, and what comes after training needs them all.
    """
    whole = steps_of(recipe)
    if len(recipe.phases) > 1 or parting.step is None or recipe.phases[0].early_stopping:
        return whole
    return min(whole, parting.step + 2)


def _error(ours: Arrays, theirs: Arrays, phases: tuple[str, ...], steps: int) -> float:
    """Return the error over the steps that were followed: of everything if these were all."""
    whole = Differences(ours, theirs, phases)
    if len(phases) > 1 or len(theirs[f"{phases[0]}/loss"][0]) <= steps:
        return whole.error
    names = [f"{phases[0]}/{kind}" for kind in DONE]
    found = Differences(_cut(ours, names, steps), _cut(theirs, names, steps), phases)
    return max(float(np.max(found.by_step(phases[0], kind), initial=0.0)) for kind in DONE)


def _cut(arrays: Arrays, names: Sequence[str], steps: int) -> Arrays:
    return {name: arrays[name][:, :steps] for name in names if name in arrays}


def variants(recipe: Recipe, parting: Parting) -> Iterator[Variant]:
    """Yield variants of a recipe that could undo a change, the likelier first, a bounded number."""
    kinds = _TO_BLAME.get(parting.kind, frozenset())
    found: dict[str, Variant] = {}
    for (owner, kind), places in _owners(recipe).items():
        if kind in kinds:
            for change, values, structural in _changes(owner, places):
                if made := _made(recipe, values):
                    found.setdefault(change, Variant(change, made, structural))
    numeric = [variant for variant in found.values() if not variant.structural]
    compiled = [variant for variant in found.values() if variant.structural]
    yield from itertools.islice(numeric, MOST_VARIANTS)
    yield from itertools.islice(compiled, MOST_STRUCTURES)


_Places = dict[Place, Model]
_Values = dict[Place, Any]


def _owners(recipe: Recipe) -> dict[tuple[str, str], _Places]:
    """Return where each technique of a recipe is, and the phases, by name and kind."""
    found: dict[tuple[str, str], _Places] = {}
    for place, model in models(recipe):
        if isinstance(model, Technique):
            found.setdefault((model.name, model.kind), {})[place] = model
        elif isinstance(model, Phase):
            found.setdefault(("phase", "phase"), {})[place] = model
    return found


def _changes(owner: str, places: _Places) -> Iterator[tuple[str, _Values, bool]]:
    """Yield changes in words, with the values to put in their places."""
    first = next(iter(places.values()))
    for field, value in first:
        here = {(*place, field): getattr(model, field) for place, model in places.items()}
        if isinstance(value, float):
            for factor in FACTORS:
                scaled = {where: number * factor for where, number in here.items()}
                yield f"{owner}.{field} × {factor:.4g}", scaled, False
        elif _counts(first, value):
            for by in (1, -1):
                yield f"{owner}.{field} {by:+}", {w: _moved(v, by) for w, v in here.items()}, False
        elif isinstance(value, bool):
            flipped = {where: not flag for where, flag in here.items()}
            yield f"{owner}.{field} → {not value}", flipped, True
        elif isinstance(value, str) and field not in ("name", "label", "of"):
            for word in _words(type(first), field):
                if word != value:
                    yield f"{owner}.{field} → {word}", dict.fromkeys(here, word), True
    if isinstance(first, Technique):
        yield from _replaced(owner, places, type(first))


def _counts(model: Model, value: Any) -> bool:
    """Return whether a value counts steps or epochs: other whole numbers are structure."""
    timed = isinstance(model, Technique) and model.kind in ("schedule", "regularisation")
    values = value if isinstance(value, tuple) else (value,)
    return timed and {type(each) for each in values} == {int}


def _moved(value: Any, by: int) -> Any:
    return tuple(each + by for each in value) if isinstance(value, tuple) else value + by


def _replaced(
    owner: str, places: _Places, cls: type[Technique]
) -> Iterator[tuple[str, _Values, bool]]:
    """Yield the siblings that have the same hyperparameters first, then the others, then none.

    What a recipe sets itself goes along; a default does not, since it is what tells siblings apart.
    """
    own = set(cls.model_fields)
    alike = sorted(siblings(cls), key=lambda sibling: set(sibling.model_fields) != own)
    for sibling in alike:
        if sibling is not cls:
            name = technique_name(sibling)
            values = {
                place: {"name": name} | _set(model, sibling.model_fields)
                for place, model in places.items()
            }
            yield f"{owner} → {name}", values, True
    yield f"{owner} off", dict.fromkeys(places, None), True


def _set(model: Model, fields: Collection[str]) -> dict[str, Any]:
    """Return what of these fields a model has other than by default."""
    defaults = {name: field.default for name, field in type(model).model_fields.items()}
    return {
        name: value
        for name, value in model
        if name in fields and name != "name" and value != defaults[name]
    }


def _words(model: type[Model], field: str) -> tuple[str, ...]:
    annotation = model.model_fields[field].annotation
    return get_args(annotation) if get_origin(annotation) is not None else ()


def _made(recipe: Recipe, values: _Values) -> Recipe | None:
    """Return the recipe with these values, None where it would not be valid or is no other."""
    document: Any = recipe.model_dump()
    for place, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            return None
        document = changed_at(document, place, value)
    try:
        made = Recipe.model_validate(document)
    except ValidationError:
        return None
    return None if made == recipe else made
