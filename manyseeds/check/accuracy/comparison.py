"""The accuracy layer: the accuracy that seeds reach, how far they scatter, and which diverge.

Every recipe on every backend is compared with its entry in the baseline. `quantities` says which
quantities are compared, `judgement` how they are judged together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from manyseeds.check.accuracy.comparability import different_question, undelivered
from manyseeds.check.accuracy.entries import entries_of
from manyseeds.check.accuracy.judgement import judge_together
from manyseeds.check.accuracy.messages import finding_of, notes_about
from manyseeds.check.accuracy.quantities import QuantityComparison, quantities_of
from manyseeds.check.baseline import BaselineEntry
from manyseeds.check.findings import Finding, LayerResult
from manyseeds.check.rows import Row
from manyseeds.errors import RequestError
from manyseeds.ledger.ledger import Ledger


@dataclass(frozen=True)
class Wording:
    """What is said of two sides that cannot be compared.

    Attributes
    ----------
    gone
        The older side has a row that the newer one lacks.
    new
        The newer side has a row that the older one lacks.
    other_question
        The sides answer different questions; what differs follows.
    """

    gone: str = "the baseline has this row; it was not trained now"
    new: str = "the baseline has no entry: accept one with `manyseeds baseline --accept`"
    other_question: str = "the baseline was made for another question"

    @classmethod
    def of_runs(cls, left: str, right: str) -> Wording:
        """Return the wording for two runs, the older first."""
        return cls(
            gone=f"{left} has this row, {right} does not",
            new=f"{right} has this row, {left} does not",
            other_question=f"{left} and {right} answer different questions",
        )


EntryPair = tuple[BaselineEntry, BaselineEntry | None]
"""A new entry, and the entry of the baseline to compare it with, if there is one."""


def compare(
    now: Sequence[BaselineEntry],
    entry_then: Callable[[Row], BaselineEntry | None],
    *,
    promised: Iterable[Row] = (),
    numerics_agree: Mapping[str, bool] | None = None,
) -> LayerResult:
    """Compare new entries with the baseline.

    Parameters
    ----------
    now
        From `entries_of`.
    entry_then
        Returns the baseline's entry of a row: `Baseline.entry`.
    promised
        Rows of the baseline that had to be trained again: those without an entry now are missing.
    numerics_agree
        By backend, whether all its float64 trajectories still agree with the baseline's, as a
        likely cause of a change; without the backends whose trajectories were not checked.

    Returns
    -------
    LayerResult
        A finding "SUITE/RECIPE/METRIC" for every comparison, with the case after the recipe if
        there is one; a finding "SUITE/RECIPE" that fails for entries that cannot be compared.
    """
    started = time.perf_counter()
    pairs = [(entry, entry_then(entry.row)) for entry in now]
    absent = _absent(now, promised, Wording().gone)
    result = compare_pairs(pairs, absent, numerics_agree=numerics_agree or {}, same_seeds=True)
    return _timed(result, started)


def compare_runs(left: Ledger, right: Ledger) -> LayerResult:
    """Compare two runs of a suite, as `compare` does: `right` with the older `left`.

    Seeds that both have are paired; if these are fewer than `LEAST_PAIRS`, all seeds are compared
    as independent samples.

    Raises
    ------
    RequestError
        The runs are of different suites, or this version of manyseeds cannot read their suite.
    """
    started = time.perf_counter()
    if left.plan.suite != right.plan.suite:
        raise RequestError(
            f"{left.folder.name} is of suite {left.plan.suite!r}, {right.folder.name} of "
            f"{right.plan.suite!r}: name two runs of the same suite"
        )
    before = {entry.row: entry for entry in entries_of(left)}
    now = entries_of(right)
    pairs = [(entry, before.get(entry.row)) for entry in now]
    notes = [note for note in (_different_forms(left, right),) if note]
    wording = Wording.of_runs(left.folder.name, right.folder.name)
    result = compare_pairs(
        pairs,
        _absent(now, before, wording.gone),
        same_seeds=False,
        notes=notes,
        wording=wording,
    )
    return _timed(result, started)


def compare_pairs(
    pairs: Sequence[EntryPair],
    absent: Iterable[Finding] = (),
    *,
    same_seeds: bool,
    numerics_agree: Mapping[str, bool] | None = None,
    notes: Sequence[str] = (),
    wording: Wording | None = None,
) -> LayerResult:
    """Compare entries pair by pair, and judge all quantities together.

    Parameters
    ----------
    absent
        Findings about rows that are missing now.
    same_seeds
        Whether entries of different seeds are refused.
    numerics_agree
        As in `compare`.
    notes
        Remarks to put before the layer's own.
    wording
        What is said of entries that cannot be compared; by default, of a baseline.
    """
    findings = list(absent)
    wording = wording or Wording()
    compared: list[QuantityComparison] = []
    for now, then in pairs:
        refusal = _refusal(now, then, wording, same_seeds=same_seeds)
        if refusal is not None:
            findings.append(refusal)
        elif then is not None:
            compared += quantities_of(now, then)
    if not pairs and not findings:
        message = "there is nothing to compare: no row was trained with the suite's own streams"
        findings.append(_missing(Row("accuracy", "all", "all"), message))
    judgements = judge_together([quantity.values for quantity in compared])
    findings += [
        finding_of(quantity, judgement, numerics_agree or {})
        for quantity, judgement in zip(compared, judgements, strict=True)
    ]
    return LayerResult(
        "accuracy",
        tuple(findings),
        comparisons=len(compared),
        seconds=0.0,
        notes=(*notes, *notes_about(compared)),
    )


def _timed(result: LayerResult, started: float) -> LayerResult:
    return replace(result, seconds=time.perf_counter() - started)


def _absent(
    now: Sequence[BaselineEntry], promised: Iterable[Row], message: str
) -> Iterator[Finding]:
    delivered = {entry.row for entry in now}
    for row in sorted(set(promised) - delivered, key=str):
        yield _missing(row, message)


def _missing(row: Row, message: str, **versions: Any) -> Finding:
    return Finding(row, "missing", message=message, fails=True, **versions)


def _refusal(
    now: BaselineEntry, then: BaselineEntry | None, wording: Wording, *, same_seeds: bool
) -> Finding | None:
    """Return a finding that says why two entries cannot be compared; None if they can."""
    versions: dict[str, Any] = {"now": now.versions} | ({"then": then.versions} if then else {})
    lost = undelivered(now)
    if lost:
        return _missing(now.row, lost, **versions)
    if then is None:
        return _missing(now.row, wording.new, **versions)
    difference = different_question(now, then, same_seeds=same_seeds)
    if difference:
        message = f"{wording.other_question}: {difference}"
        return Finding(now.row, "not comparable", message=message, fails=True, **versions)
    return None


def _different_forms(left: Ledger, right: Ledger) -> str:
    """Return how the forms of two runs differ, in words; "" if they do not."""
    before, after = ("quick" if ledger.plan.quick else "full" for ledger in (left, right))
    if before != after:
        return f"the {before} form of the suite is compared with the {after} form"
    if left.plan.suite_sha256 != right.plan.suite_sha256:
        return "the suite's text was edited between the runs"
    return ""
