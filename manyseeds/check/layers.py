"""The three layers as the gate calls them: each measures a scope and compares the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from manyseeds.check.accuracy.comparability import undelivered
from manyseeds.check.accuracy.comparison import compare as compare_accuracy
from manyseeds.check.accuracy.entries import entries_of, suite_file
from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.findings import LayerResult
from manyseeds.check.layer_measurement import LayerMeasurement, MeasureLayer
from manyseeds.check.numerics.comparison import compare as compare_numerics
from manyseeds.check.numerics.measurement import NumericsOptions
from manyseeds.check.numerics.measurement import measure as measure_numerics
from manyseeds.check.numerics.reasons import with_reasons
from manyseeds.check.rows import Layer, Row
from manyseeds.check.scope import GateScope
from manyseeds.check.timing.comparison import compare as compare_times
from manyseeds.check.timing.measurement import THOROUGH_PROCESSES, TimingOptions
from manyseeds.check.timing.measurement import measure as measure_times
from manyseeds.errors import RequestError
from manyseeds.execution.request import Options, TrainingRequest
from manyseeds.execution.train import train
from manyseeds.presentation.run_display import TerminalDisplay
from manyseeds.presentation.terminal import styled, terminal
from manyseeds.processes.host import cores
from manyseeds.suite.reader import NoQuickFormError


def _print_progress(line: str) -> None:
    terminal(errors=True).print(styled(f"  {line}"))


def _numerics(scope: GateScope) -> LayerMeasurement:
    options = NumericsOptions(thorough=scope.thorough, progress=_print_progress)
    now = measure_numerics(scope.backends, options=options)

    def compare(baseline: Baseline, _: Sequence[LayerResult]) -> LayerResult:
        return with_reasons(compare_numerics(now, baseline), now, baseline)

    return LayerMeasurement(now.entries, compare, now.failures)


def _accuracy(scope: GateScope) -> LayerMeasurement:
    """Train with one thread per backend, so that the number of cores cannot change a bit."""
    request = TrainingRequest(
        suites=tuple(scope.suites) or (str(suite_file()),),
        quick=bool(scope.suites),
        results=scope.results,
        options=Options(
            backends=tuple(scope.backends), threads=1, beside=min(cores(), len(scope.backends))
        ),
    )
    try:
        ledgers = train(request, TerminalDisplay())
    except NoQuickFormError as error:
        raise RequestError(
            f"{error.file}: has no quick form, which is what --suite trains: add a table [quick], "
            "an empty one to train the suite as it is"
        ) from None
    entries = tuple(entry for ledger in ledgers for entry in entries_of(ledger))
    suites = {ledger.plan.suite for ledger in ledgers}

    def compare(baseline: Baseline, before: Sequence[LayerResult]) -> LayerResult:
        return compare_accuracy(
            entries,
            baseline.entry,
            promised=_promised(baseline, scope, suites),
            numerics_agree=_agreement(before),
        )

    lost = {entry.row: why for entry in entries if (why := undelivered(entry))}
    return LayerMeasurement(_without(entries, lost), compare, lost)


def _agreement(results: Sequence[LayerResult]) -> dict[str, bool]:
    """Return, by backend, whether all trajectories are unchanged; {} if none was checked."""
    findings = [
        finding for result in results if result.layer == "numerics" for finding in result.findings
    ]
    return {
        backend: all(f.state == "unchanged" for f in findings if f.backend == backend)
        for backend in {finding.backend for finding in findings}
    }


def _promised(baseline: Baseline, scope: GateScope, suites: set[str]) -> Iterator[Row]:
    """Yield the rows of the baseline that had to be trained again."""
    for backend in scope.backends:
        for row in baseline.rows("accuracy", backend):
            if row.parts[0] in suites:
                yield row


def _time(scope: GateScope) -> LayerMeasurement:
    options = TimingOptions(processes=THOROUGH_PROCESSES) if scope.thorough else TimingOptions()
    now = measure_times(scope.backends, options)
    failed = {e.row: str(e.context["failed"]) for e in now if "failed" in e.context}
    return LayerMeasurement(
        _without(now, failed), lambda baseline, _: compare_times(now, baseline), failed
    )


def _without(
    entries: Sequence[BaselineEntry], failures: Mapping[Row, str]
) -> tuple[BaselineEntry, ...]:
    return tuple(entry for entry in entries if entry.row not in failures)


MEASURE_LAYER: Mapping[Layer, MeasureLayer] = {
    "numerics": _numerics,
    "accuracy": _accuracy,
    "time": _time,
}
