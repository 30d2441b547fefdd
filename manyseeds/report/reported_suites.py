"""The runs that a page is about.

A page is about one suite in one form, full or quick, and shows the run of that form whose name
sorts last. Other runs with the same suite text (SHA-256), form, settings and versions are joined to
it: if several of them recorded a row, the record of the last run counts, whatever its status, as
with attempts within a run. The rule sees names, settings and versions, never results. All other
runs of the suite are listed with their differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import pandas as pd

from manyseeds.backend.settings import Settings
from manyseeds.ledger.copies import others_named
from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.plan import Plan
from manyseeds.ledger.schemas import ROW_KEY
from manyseeds.ledger.versions import Versions, trained_versions, version_changes
from manyseeds.presentation.wording import backend_name
from manyseeds.report.addresses import page_address
from manyseeds.report.suite_changes import changes
from manyseeds.suite.suite import Suite

SETTINGS = tuple(field.name for field in fields(Settings))
"""The settings that must agree for runs to be joined."""


@dataclass(frozen=True)
class SuiteRun:
    """One run of a suite.

    Attributes
    ----------
    plan, records
        The rows promised, and one record for each.
    provenance
        One entry for each time the run was started; of a run that is shown.
    used
        Whether the page shows the run.
    differences
        How it differs from the run that the page shows; empty for runs that are joined.
    versions
        By backend: the versions under which its rows were trained.
    """

    plan: Plan
    records: pd.DataFrame
    provenance: Sequence[Mapping[str, Any]]
    used: bool
    differences: tuple[str, ...]
    versions: Mapping[str, Versions]


@dataclass(frozen=True)
class ReportedSuite:
    """One suite in one form, with the runs that its page shows.

    Attributes
    ----------
    label
        The address of its page: see `manyseeds.report.addresses.page_address`.
    plan, suite
        The plan and suite of the run whose name sorts last.
    records
        The records of all joined runs: one per promised row.
    runs
        Every run of the suite, by name.
    ledgers
        The ledgers of the joined runs, by the run's name.
    """

    label: str
    plan: Plan
    suite: Suite
    records: pd.DataFrame
    runs: tuple[SuiteRun, ...]
    ledgers: Mapping[str, Ledger]

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The curves that belong to the records that count; read once."""
        return self._counted({run: ledger.curves() for run, ledger in self.ledgers.items()})

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """The diagnostics that belong to the records that count; read once."""
        return self._counted({run: ledger.diagnostics() for run, ledger in self.ledgers.items()})

    def _counted(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        parts = [table.assign(run=run) for run, table in tables.items()]
        if len(parts) == 1:
            return parts[0]
        counted = self.records[[*ROW_KEY, "run"]]
        return pd.concat(parts).merge(counted, on=list(counted)).reset_index(drop=True)

    def devices(self) -> list[str]:
        """Return the devices that the rows were trained on, as recorded."""
        return sorted(self.records["device"].dropna().unique())


def reported_suites(ledgers: Sequence[Ledger]) -> list[ReportedSuite]:
    """Return one entry per suite and form, by the suite's name, the full form first."""
    suites: dict[str, list[Ledger]] = {}
    for ledger in ledgers:
        suites.setdefault(ledger.plan.suite, []).append(ledger)
    with others_named([ledger.folder for ledger in ledgers]):
        return [form for name in sorted(suites) for form in _forms(suites[name])]


def _forms(ledgers: list[Ledger]) -> Iterator[ReportedSuite]:
    ledgers = sorted(ledgers, key=lambda ledger: ledger.plan.run)
    full = [ledger for ledger in ledgers if not ledger.plan.quick]
    quick = [ledger for ledger in ledgers if ledger.plan.quick]
    if full:
        yield _suite_form(full[-1], ledgers)
    if quick:
        yield _suite_form(quick[-1], ledgers)


def _suite_form(chosen: Ledger, ledgers: list[Ledger]) -> ReportedSuite:
    """Return the suite in the form of the chosen run; `ledgers` are all of its runs, by name."""
    runs = _runs(chosen, ledgers)
    joined = {run.plan.run: ledger for run, ledger in zip(runs, ledgers, strict=True) if run.used}
    return ReportedSuite(
        label=page_address(chosen.plan.suite, quick=chosen.plan.quick),
        plan=chosen.plan,
        suite=chosen.suite,
        records=_joined([run.records.assign(run=run.plan.run) for run in runs if run.used]),
        runs=runs,
        ledgers=joined,
    )


def _runs(chosen: Ledger, ledgers: list[Ledger]) -> tuple[SuiteRun, ...]:
    """Return all runs, by name; from the last one back, those that fit the chosen one are used.

    A run without rows of a backend says nothing about its versions: an earlier one then does.
    """
    runs: list[SuiteRun] = []
    versions: dict[str, Versions] = {}
    for ledger in reversed(ledgers):
        records, sessions = ledger.records(), ledger.provenance
        own = trained_versions(sessions, records)
        differences = (*_differences(ledger.plan, chosen.plan), *_other_versions(own, versions))
        if not differences:
            versions = {**own, **versions}
        runs.append(SuiteRun(ledger.plan, records, sessions, not differences, differences, own))
    return tuple(reversed(runs))


def _other_versions(own: Mapping[str, Versions], here: Mapping[str, Versions]) -> list[str]:
    """Return, by backend, the packages that a run has in other versions than the runs used."""
    return [
        f"other versions in {backend_name(backend)}: {'; '.join(changes)}"
        for backend, versions in own.items()
        if backend in here
        and (changes := list(version_changes(versions, here[backend], word="here")))
    ]


def _differences(plan: Plan, chosen: Plan) -> list[str]:
    differences = [
        f"{name}: {getattr(plan, name)}, here {getattr(chosen, name)}"
        for name in SETTINGS
        if getattr(plan, name) != getattr(chosen, name)
    ]
    if plan.quick != chosen.quick:
        differences.insert(0, "quick form" if plan.quick else "full form")
    if plan.suite_sha256 != chosen.suite_sha256:
        differences += [
            f"suite amended: {change}" for change in changes(plan.suite_text, chosen.suite_text)
        ]
    return differences


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Join records in the order of the runs: a row's last record counts; missing ones do not."""
    if len(tables) == 1:
        return tables[0]
    stacked = pd.concat(tables, ignore_index=True)
    stacked["_recorded"] = stacked["status"] != "missing"
    stacked["_place"] = stacked.groupby(ROW_KEY, sort=False).ngroup()
    last = stacked.sort_values(["_place", "_recorded"], kind="stable")
    last = last.drop_duplicates(ROW_KEY, keep="last")
    return last.drop(columns=["_recorded", "_place"]).reset_index(drop=True)
