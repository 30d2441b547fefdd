"""Likely reasons of changed rows, from evidence: which recipes changed, and what undoes the change.

To undo a change, variants of the recipe are followed on the backend as it is now. A variant that
follows the baseline's trajectory again names the hyperparameter, technique or convention that has
changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from manyseeds.backend.settings import Device
from manyseeds.check.baseline import Baseline
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.numerics.differences import (
    COMPUTED,
    Arrays,
    FingerprintDifferences,
    FirstDifference,
    differences_between,
)
from manyseeds.check.numerics.measurement import NumericsMeasurement, follow_on, steps_of
from manyseeds.check.numerics.variants import variants
from manyseeds.conformance.comparison import TOLERANCE
from manyseeds.suite.recipe import Recipe
from manyseeds.suite.techniques_used import used

NEARER = 1000.0
"""How much smaller the error of a variant must be, if it does not reach the tolerance."""
_NO_TECHNIQUE = {("schedule", "constant")}
"""Techniques that stand for the absence of one."""


@dataclass(frozen=True)
class ReasonOptions:
    """How much is trained to find reasons.

    Attributes
    ----------
    most
        The most rows of a backend for which variants are followed, those with the fewest
        techniques first; 0 for none.
    device
        Where the backends compute.
    progress
        Called with a line of text when the reason of a row is known.
    """

    most: int = 3
    device: Device = "cpu"
    progress: Callable[[str], None] = lambda line: None


def with_reasons(
    result: LayerResult,
    now: NumericsMeasurement,
    baseline: Baseline,
    options: ReasonOptions | None = None,
) -> LayerResult:
    """Return a layer's result with the likely reasons of its changed rows.

    Parameters
    ----------
    result
        The comparison of `now` with `baseline`.
    """
    options = options or ReasonOptions()
    findings = {finding.row: finding for finding in result.findings}
    for backend in now.backends:
        own = [finding for finding in result.findings if finding.backend == backend]
        changed = [f for f in own if f.state == "changed" and f.subject in now.recipes]
        shared = shared_techniques(own, now.recipes)
        simplest = sorted(changed, key=lambda f: len(used(now.recipes[f.subject])))
        for finding in changed:
            reasons = [finding.reason, shared]
            if finding in simplest[: options.most] and (
                undone := _undone(finding, now, baseline, options.device)
            ):
                options.progress(f"{finding.row}: {undone}")
                reasons.append(undone)
            reason = "; ".join(filter(None, reasons))
            findings[finding.row] = replace(finding, reason=reason)
    return replace(result, findings=tuple(findings.values()))


def shared_techniques(findings: Sequence[Finding], recipes: Mapping[str, Recipe]) -> str:
    """Return, in words, the techniques that all changed recipes have and no unchanged one has.

    "" if there are none.
    """
    techniques = {f.subject: used(recipes[f.subject]) for f in findings if f.subject in recipes}
    changed = [f.subject for f in findings if f.state == "changed" and f.subject in techniques]
    unchanged = [f.subject for f in findings if f.state == "unchanged"]
    if not changed:
        return ""
    if not unchanged and len(changed) > 1:
        return f"all {len(changed)} recipes changed"
    common = frozenset.intersection(*(techniques[name] for name in changed))
    own = common.difference(_NO_TECHNIQUE, *(techniques[name] for name in unchanged))
    if not own or not unchanged:
        return ""
    names = " or ".join(name for _, name in sorted(own))
    if len(changed) == 1:
        return f"only the recipe with {names} changed"
    return f"only the {len(changed)} recipes with {names} changed"


def _undone(finding: Finding, now: NumericsMeasurement, baseline: Baseline, device: Device) -> str:
    """Return, in words, the variant that follows the baseline again; "" if none does."""
    then = baseline.entry(finding.row)
    if then is None or finding.row not in now.by_row:
        return ""
    ours = now.by_row[finding.row]
    differences = differences_between(ours, then)
    first, recipe = differences.first, now.recipes[finding.subject]
    if first is None or differences.unmatched:
        return ""
    steps = _steps(recipe, first)
    by_change = {variant.change: variant.recipe for variant in variants(recipe, first)}
    ((_, answer, _),) = follow_on({finding.backend: by_change}, device, steps=lambda _: steps)
    errors = {
        change: _error(arrays, then.arrays, differences.phases, steps)
        for change, arrays in answer.prints.items()
    }
    before = _error(ours.arrays, then.arrays, differences.phases, steps)
    best = min(errors, key=lambda change: errors[change], default="")
    if best and undoes(before, errors[best]):
        return f"undone by {best} (error {before:.1e} → {errors[best]:.1e})"
    return ""


def undoes(before: float, after: float) -> bool:
    """Return whether a variant undoes a change, by the errors without it and with it.

    An infinite error, of a quantity that was 0 in the baseline, is undone only by a variant that
    reaches the tolerance.
    """
    limit = before / NEARER if math.isfinite(before) else 0.0
    return after <= max(TOLERANCE, limit)


def _steps(recipe: Recipe, first: FirstDifference) -> int:
    """Return the number of steps to follow variants for: if possible, two past the difference.

    Several phases share the steps, and a difference after training needs them all.
    """
    all_steps = steps_of(recipe)
    if len(recipe.phases) > 1 or first.step is None or recipe.phases[0].early_stopping:
        return all_steps
    return min(all_steps, first.step + 2)


def _error(ours: Arrays, theirs: Arrays, phases: tuple[str, ...], steps: int) -> float:
    """Return the error over the first steps; over everything if there are no further steps."""
    if len(phases) > 1 or len(theirs[f"{phases[0]}/loss"][0]) <= steps:
        return FingerprintDifferences(ours, theirs, phases).error
    names = [f"{phases[0]}/{kind}" for kind in COMPUTED]
    now, then = (_first_steps(side, names, steps) for side in (ours, theirs))
    differences = FingerprintDifferences(now, then, phases)
    return max(
        float(np.max(differences.by_step(phases[0], kind), initial=0.0)) for kind in COMPUTED
    )


def _first_steps(arrays: Arrays, names: Sequence[str], steps: int) -> Arrays:
    return {name: arrays[name][:, :steps] for name in names if name in arrays}
