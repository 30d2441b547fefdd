"""The layers as the gate calls them: each measures what is asked, and compares it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console

from manyseeds.check.accuracy import layer as accuracy
from manyseeds.check.findings import Layer, LayerResult
from manyseeds.check.gate import Asked, Measure, Measured
from manyseeds.check.numerics import layer as numerics
from manyseeds.check.numerics.reasons import with_reasons
from manyseeds.check.store import Baseline
from manyseeds.check.timing import layer as timing
from manyseeds.execution.request import Options, TrainingRequest
from manyseeds.execution.train import train
from manyseeds.presentation.run_display import TerminalDisplay
from manyseeds.processes.host import cores


def _tell(line: str) -> None:
    Console(stderr=True).print(f"  {line}", highlight=False, markup=False)


def _numerics(question: Asked) -> Measured:
    now = numerics.measure(question.backends, thorough=question.thorough, told=_tell)

    def compare(baseline: Baseline, _: Sequence[LayerResult]) -> LayerResult:
        return with_reasons(numerics.compare(now, baseline), now, baseline)

    return Measured(now.entries, compare)


def _accuracy(question: Asked) -> Measured:
    """Train one thread a backend: how many cores there are must not move a bit."""
    beside = min(cores(), len(question.backends))
    request = TrainingRequest(
        suites=tuple(question.suites) or (str(accuracy.suite_file()),),
        quick=bool(question.suites),
        results=question.results,
        options=Options(backends=tuple(question.backends), threads=1, beside=beside),
    )
    ledgers = train(request, TerminalDisplay())
    entries = tuple(entry for ledger in ledgers for entry in accuracy.entries_of(ledger))
    suites = {ledger.plan.suite for ledger in ledgers}

    def compare(baseline: Baseline, before: Sequence[LayerResult]) -> LayerResult:
        promised = [*_promised(baseline, question, suites)]
        agree = _agreeing(before)
        return accuracy.compare(entries, baseline, promised=promised, numerics=agree)

    return Measured(entries, compare)


def _agreeing(before: Sequence[LayerResult]) -> dict[str, bool]:
    """Return by backend whether all its trajectories still agree, where they were looked at."""
    found = [one for layer in before if layer.layer == "numerics" for one in layer.findings]
    return {
        backend: all(one.state == "unchanged" for one in found if one.backend == backend)
        for backend in {one.backend for one in found}
    }


def _promised(baseline: Baseline, question: Asked, suites: set[str]) -> Iterator[str]:
    """Yield the rows of the baseline that had to be trained again."""
    for backend in question.backends:
        for row in baseline.rows("accuracy", backend):
            if row.split("/")[2] in suites:
                yield row


def _time(question: Asked) -> Measured:
    processes = timing.THOROUGH_PROCESSES if question.thorough else timing.PROCESSES
    now = timing.measure(question.backends, processes=processes)
    return Measured(tuple(now), lambda baseline, _: timing.compare(now, baseline))


MEASURES: Mapping[Layer, Measure] = {"numerics": _numerics, "accuracy": _accuracy, "time": _time}
