"""Which runs a page is about.

A page is about one suite in one of its forms, full or quick; of that, the run that is last by name.
Other runs with the same suite text (SHA-256), form and settings are joined
to it: of a row that several of them recorded, the record of the last run counts, whatever its
status, as with attempts within a run. The rule sees names and settings, never results. All other
runs of the suite are listed with what is different about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from manyseeds.backend.settings import Settings
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.schemas import ROW_KEY
from manyseeds.report.suite_changes import changes
from manyseeds.suite.suite import Suite

SETTINGS = tuple(field.name for field in fields(Settings))


@dataclass(frozen=True)
class SuiteRun:
    """One run of a suite.

    Attributes
    ----------
    plan, records
        What was promised, and what became of it.
    provenance
        One entry for each time the run was started.
    used
        Whether the page is about it.
    differences
        What sets it apart from the run the page is about; empty for those that are joined.
    """

    plan: Plan
    records: pd.DataFrame
    provenance: Sequence[Mapping[str, Any]]
    used: bool
    differences: tuple[str, ...]


@dataclass(frozen=True)
class ReportedSuite:
    """What one page is about.

    Attributes
    ----------
    label
        What it is called among others: the suite's name, with "-quick" behind it for the quick form
        of a suite whose full form has been run, too.
    plan, suite
        Of the run that is last by name.
    records
        Of all the runs that are joined; one record per promised row.
    runs
        Every run of the suite, by name.
    ledgers
        Of the runs that are joined, by the run's name.
    """

    label: str
    plan: Plan
    suite: Suite
    records: pd.DataFrame
    runs: tuple[SuiteRun, ...]
    ledgers: Mapping[str, Ledger]

    def curves(self) -> pd.DataFrame:
        """Read the curves that belong to the records that count."""
        return self._counted({run: ledger.curves() for run, ledger in self.ledgers.items()})

    def diagnostics(self) -> pd.DataFrame:
        """Read the diagnostics that belong to the records that count."""
        return self._counted({run: ledger.diagnostics() for run, ledger in self.ledgers.items()})

    def _counted(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        found = [table.assign(run=run) for run, table in tables.items()]
        if len(found) == 1:
            return found[0]
        counted = self.records[[*ROW_KEY, "run"]]
        return pd.concat(found).merge(counted, on=list(counted)).reset_index(drop=True)

    def devices(self) -> list[str]:
        """Return the devices that the rows were trained on, as recorded."""
        return sorted(self.records["device"].dropna().unique())


def reported_suites(ledgers: Sequence[Ledger]) -> list[ReportedSuite]:
    """Return one subject per suite and form, by the suite's name, the full form first."""
    suites: dict[str, list[tuple[Plan, Ledger]]] = {}
    for ledger in ledgers:
        plan = ledger.plan
        suites.setdefault(plan.suite, []).append((plan, ledger))
    return [subject for name in sorted(suites) for subject in _forms(name, suites[name])]


def _forms(name: str, found: list[tuple[Plan, Ledger]]) -> Iterator[ReportedSuite]:
    found = sorted(found, key=lambda pair: pair[0].run)
    full = [plan for plan, _ in found if not plan.quick]
    quick = [plan for plan, _ in found if plan.quick]
    if full:
        yield _subject(name, full[-1], found)
    if quick:
        yield _subject(f"{name}-quick" if full else name, quick[-1], found)


def _subject(label: str, chosen: Plan, found: list[tuple[Plan, Ledger]]) -> ReportedSuite:
    """Return what is told of the chosen run; `found` are all of the suite, by name."""
    runs = tuple(_run(plan, ledger, chosen) for plan, ledger in found)
    joined = {plan.run: ledger for run, (plan, ledger) in zip(runs, found, strict=True) if run.used}
    return ReportedSuite(
        label=label,
        plan=chosen,
        suite=next(ledger.suite for plan, ledger in found if plan is chosen),
        records=_joined([run.records.assign(run=run.plan.run) for run in runs if run.used]),
        runs=runs,
        ledgers=joined,
    )


def _run(plan: Plan, ledger: Ledger, chosen: Plan) -> SuiteRun:
    differences = tuple(_differences(plan, chosen))
    return SuiteRun(plan, ledger.records(), ledger.provenance, not differences, differences)


def _differences(plan: Plan, chosen: Plan) -> list[str]:
    found = [
        f"{name}: {getattr(plan, name)}, here {getattr(chosen, name)}"
        for name in SETTINGS
        if getattr(plan, name) != getattr(chosen, name)
    ]
    if plan.quick != chosen.quick:
        found.insert(0, "quick form" if plan.quick else "full form")
    if plan.suite_sha256 != chosen.suite_sha256:
        found += [f"suite amended: {what}" for what in changes(plan.suite_text, chosen.suite_text)]
    return found


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Join records, in the order of the runs: a row's last record counts, missing ones do not."""
    if len(tables) == 1:
        return tables[0]
    stacked = pd.concat(tables, ignore_index=True)
    stacked["_recorded"] = stacked["status"] != "missing"
    stacked["_place"] = stacked.groupby(ROW_KEY, sort=False).ngroup()
    last = stacked.sort_values(["_place", "_recorded"], kind="stable")
    last = last.drop_duplicates(ROW_KEY, keep="last")
    return last.drop(columns=["_recorded", "_place"]).reset_index(drop=True)
