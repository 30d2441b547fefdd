"""A check: measure layer by layer, compare with the baseline, apply the acknowledgements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from time import perf_counter

from manyseeds.check.acknowledgements import Acknowledgement, acknowledge, unused
from manyseeds.check.baseline import Baseline
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.layer_measurement import MeasureLayer, announce
from manyseeds.check.report import CheckReport
from manyseeds.check.rows import LAYERS, Layer
from manyseeds.check.scope import GateScope
from manyseeds.errors import ManyseedsError, RequestError, RunError, nearest
from manyseeds.execution.train import InterruptedRunError


@dataclass(frozen=True)
class PassRules:
    """The rules that decide whether a finding passes.

    Attributes
    ----------
    acknowledgements
        Differences that pass until they expire.
    strict
        Whether "cannot tell" fails.
    today
        The day on which acknowledgements must not have expired; None is the current one.
    """

    acknowledgements: Sequence[Acknowledgement] = ()
    strict: bool = False
    today: date | None = None


def check(
    scope: GateScope,
    baseline: Baseline,
    layers: Mapping[Layer, MeasureLayer],
    rules: PassRules | None = None,
) -> CheckReport:
    """Measure and compare layer by layer; an interrupted check keeps the layers it has finished.

    Raises
    ------
    RequestError
        The request is wrong.
    RunError
        There is no baseline.
    """
    if not any(baseline.rows(layer) for layer in scope.layers):
        raise RunError(
            f"there is no baseline in {baseline.folder}: make one with "
            'manyseeds baseline --accept --because "the first"'
        )
    rules = rules or PassRules()
    results, stopped = _compared(scope, baseline, layers)
    return CheckReport(_acknowledged(results, rules), strict=rules.strict, stopped=stopped)


def _compared(
    scope: GateScope, baseline: Baseline, layers: Mapping[Layer, MeasureLayer]
) -> tuple[list[LayerResult], str]:
    """Return the results of the layers, and why some are missing; "" if none is."""
    results: list[LayerResult] = []
    stopped = ""
    for layer in scope.layers:
        try:
            announce(layer, scope)
            started = perf_counter()
            result = layers[layer](scope).compare(baseline, results)
            results.append(replace(result, seconds=perf_counter() - started))
        except (KeyboardInterrupt, InterruptedRunError):
            stopped = f"interrupted in {layer}: it and the layers after it were not compared"
            break
        except RequestError:
            raise
        except ManyseedsError as error:
            stopped = f"{layer} was not compared: {error}"
    return results, stopped


def _acknowledged(results: Sequence[LayerResult], rules: PassRules) -> tuple[LayerResult, ...]:
    """Return the results, acknowledged findings marked and idle acknowledgements noted."""
    known, today = rules.acknowledgements, rules.today or date.today()
    marked = [
        replace(result, findings=acknowledge(result.findings, known, today)) for result in results
    ]
    findings = [finding for result in marked for finding in result.findings]
    # Only a check of all layers can know that an acknowledgement is idle.
    if len(marked) == len(LAYERS):
        notes = (*marked[-1].notes, *_idle(known, findings))
        marked[-1] = replace(marked[-1], notes=notes)
    return tuple(marked)


def _idle(known: Sequence[Acknowledgement], findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a note about acknowledgements of no row, and one about those no longer needed."""
    absent = [one.row for one in known if not any(map(one.covers, findings))]
    names = [str(finding.row) for finding in findings]
    for row in absent:
        guess = nearest(row, names)
        hint = f"; did you mean {guess!r}?" if guess else ""
        yield f"acknowledged, but no row is called {row!r}{hint}"
    if idle := [row for row in unused(findings, known) if row not in absent]:
        yield f"acknowledged and no longer needed: {', '.join(idle)}"
