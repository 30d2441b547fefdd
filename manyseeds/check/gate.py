"""The gate as a whole: measures layer by layer, compares, and says what is accepted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from time import perf_counter

from rich.console import Console

from manyseeds.backend.discovery import absence, backend_entries
from manyseeds.check.acknowledged import Acknowledged, acknowledge, unused
from manyseeds.check.findings import LAYERS, Layer, LayerResult
from manyseeds.check.report import CheckReport
from manyseeds.check.store import Baseline, Entry
from manyseeds.errors import ManyseedsError, RequestError, RunError, unknown
from manyseeds.execution.train import InterruptedRunError


@dataclass(frozen=True)
class Asked:
    """What is to be looked at.

    Attributes
    ----------
    backends, layers
        By name, in order.
    suites
        Of the accuracy layer, by name or file; () is the gate's own.
    results
        Folder in which the accuracy layer's runs get theirs.
    thorough
        Whether the numerics layer follows every recipe of the parity kit, and the time layer starts
        as many processes as for an acceptance.
    """

    backends: tuple[str, ...]
    layers: tuple[Layer, ...] = LAYERS
    suites: tuple[str, ...] = ()
    results: Path = Path("results") / "check"
    thorough: bool = False


@dataclass(frozen=True)
class Measured:
    """What a layer sees now: its entries, and how they are compared with a baseline's.

    `compare` is given the results of the layers before, too: what they found may be a reason.
    """

    entries: tuple[Entry, ...]
    compare: Callable[[Baseline, Sequence[LayerResult]], LayerResult]


Measure = Callable[[Asked], Measured]


@dataclass(frozen=True)
class Accepted:
    """What became of the baseline.

    Attributes
    ----------
    rows, gone
        Replaced or added; dropped.
    failed
        Why rows could not be measured: what the baseline has of them stays.
    """

    rows: tuple[str, ...]
    gone: tuple[str, ...]
    failed: Mapping[str, str]


def asked(
    baseline: Baseline,
    backends: Sequence[str],
    layers: Sequence[str],
    suites: Sequence[str],
    results: Path,
) -> Asked:
    """Return what is to be looked at: by default every layer and every backend installed.

    Raises
    ------
    RequestError
        An unknown backend or layer; a backend of the baseline that is not installed and was not
        left out by name: it would not be compared, and nobody would notice.
    """
    entries = backend_entries()
    for name in layers:
        if name not in LAYERS:
            raise RequestError(unknown("layer", name, LAYERS))
    for name in backends:
        if name not in entries:
            raise RequestError(unknown("backend", name, entries))
    chosen = tuple(dict.fromkeys(backends)) or tuple(
        name for name, entry in entries.items() if absence(entry) is None
    )
    absent = sorted({row.split("/")[1] for layer in LAYERS for row in baseline.rows(layer)})
    left = [name for name in absent if name not in chosen]
    if left and not backends:
        raise RequestError(
            f"the baseline has {', '.join(left)}, which cannot be used here: install it, or name "
            f"the others with --backend"
        )
    for name in chosen:
        if reason := absence(entries[name]):
            raise RequestError(f"backend {name!r} is not installed: {reason}")
    wanted = tuple(layer for layer in LAYERS if not layers or layer in layers)
    return Asked(chosen, wanted, tuple(suites), results)


def check(
    question: Asked,
    baseline: Baseline,
    measures: Mapping[Layer, Measure],
    known: Sequence[Acknowledged] = (),
    *,
    strict: bool = False,
    today: date | None = None,
) -> CheckReport:
    """Measure and compare layer by layer; what was compared before a layer broke off is kept.

    Raises
    ------
    RequestError
        The request is wrong.
    RunError
        There is no baseline.
    """
    if not any(baseline.rows(layer) for layer in question.layers):
        raise RunError(
            f"there is no baseline in {baseline.folder}: make one with "
            'manyseeds baseline --accept --because "the first"'
        )
    found: list[LayerResult] = []
    stopped = ""
    for layer in question.layers:
        try:
            _tell(layer, question)
            started = perf_counter()
            result = measures[layer](question).compare(baseline, found)
            found.append(replace(result, seconds=perf_counter() - started))
        except (KeyboardInterrupt, InterruptedRunError):
            stopped = f"interrupted in {layer}: it and what follows was not compared"
            break
        except RequestError:
            raise
        except ManyseedsError as error:
            stopped = f"{layer} was not compared: {error}"
    day = today or date.today()
    layers = tuple(replace(one, findings=acknowledge(one.findings, known, day)) for one in found)
    every = [finding for one in layers for finding in one.findings]
    idle = unused(every, known) if len(found) == len(LAYERS) else ()
    if idle and layers:
        told = f"acknowledged and no longer needed: {', '.join(idle)}"
        layers = (*layers[:-1], replace(layers[-1], notes=(*layers[-1].notes, told)))
    return CheckReport(layers, strict=strict, stopped=stopped)


def accept(
    question: Asked,
    baseline: Baseline,
    measures: Mapping[Layer, Measure],
    because: str,
    rows: Sequence[str] = (),
) -> Accepted:
    """Measure anew, thoroughly, and put it into the baseline.

    Parameters
    ----------
    rows
        Patterns of names, of entries or of findings about them: only these. Without any, what the
        baseline has of these layers and backends and what was not measured now is dropped.

    Raises
    ------
    RequestError
        No reason is given; a pattern that nothing matches, and then nothing is accepted.
    """
    if not because.strip():
        raise RequestError('say why: manyseeds baseline --accept --because "…"')
    entries: list[Entry] = []
    for each in _concerned(question, rows):
        (layer,) = each.layers
        _tell(layer, each)
        entries += measures[layer](replace(each, thorough=True)).entries
    for pattern in rows:
        if not any(_wanted(entry, [pattern]) for entry in entries):
            known = [entry.row for entry in entries] or [*_rows(question, baseline)]
            raise RequestError(unknown("row", pattern, known))
    chosen = [entry for entry in entries if _wanted(entry, rows)]
    failed = {entry.row: str(entry.context["failed"]) for entry in chosen if _failed(entry)}
    whole = [entry for entry in chosen if not _failed(entry)]
    gone = () if rows else tuple(_gone(question, baseline, {entry.row for entry in entries}))
    baseline.accept(whole, because, gone)
    return Accepted(tuple(entry.row for entry in whole), gone, failed)


def _concerned(question: Asked, patterns: Sequence[str]) -> Iterator[Asked]:
    """Yield a question for each layer, of the backends that a pattern may mean."""
    for layer in question.layers:
        backends = [
            backend
            for backend in question.backends
            if not patterns or any(_may_mean(one, f"{layer}/{backend}/") for one in patterns)
        ]
        if backends:
            yield replace(question, layers=(layer,), backends=tuple(backends))


def _may_mean(pattern: str, start: str) -> bool:
    """Return whether a pattern may match a name that starts so."""
    literal = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    return literal.startswith(start) or start.startswith(literal)


def _failed(entry: Entry) -> bool:
    return "failed" in entry.context


def _wanted(entry: Entry, patterns: Sequence[str]) -> bool:
    """Return whether a pattern means an entry, or one of the quantities it has."""
    if not patterns:
        return True
    names = [entry.row, *(f"{entry.row}/{quantity}" for quantity in (*entry.arrays, "diverged"))]
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _rows(question: Asked, baseline: Baseline) -> Iterator[str]:
    for layer in question.layers:
        yield from baseline.rows(layer)


def _gone(question: Asked, baseline: Baseline, measured: set[str]) -> Iterator[str]:
    for layer in question.layers:
        if layer == "accuracy" and question.suites:
            continue  # other suites' entries were not in question
        for backend in question.backends:
            yield from (row for row in baseline.rows(layer, backend) if row not in measured)


def _tell(layer: Layer, question: Asked) -> None:
    Console(stderr=True).print(f"[bold]{layer}[/]: {', '.join(question.backends)}", highlight=False)
