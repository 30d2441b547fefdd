"""The report of a check: a table, Markdown, JUnit XML and JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from manyseeds.check import finding_text
from manyseeds.check.findings import STATES, Finding, LayerResult
from manyseeds.check.package_versions import compared_versions
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.junit import JunitCase, JunitSuite, junit_document
from manyseeds.presentation.markdown import markdown_escaped, markdown_rows

MOST_ROWS = 40
"""Rows printed at most; files have all of them."""

_SIGNS = {
    "changed": "✗", "missing": "✗", "not comparable": "≠", "cannot tell": "?", "unchanged": "✓"
}  # fmt: skip
_COLUMNS = ("", "state", "row", "change", "95 % interval", "versions", "explanation")


@dataclass(frozen=True)
class CheckReport:
    """The results of the layers that were compared.

    Attributes
    ----------
    strict
        Whether "cannot tell" fails.
    stopped
        Why a layer is missing; "" if none is.
    title
        The two sides that are compared.
    """

    layers: tuple[LayerResult, ...]
    strict: bool = False
    stopped: str = ""
    title: str = "Since the baseline"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, worst first."""
        findings = [finding for layer in self.layers for finding in layer.findings]
        return tuple(sorted(findings, key=self._badness))

    @property
    def exit_status(self) -> int:
        """0 if every failing finding is acknowledged and all requested layers were compared."""
        failing = any(self.fails(finding) for finding in self.findings)
        return 1 if failing or self.stopped or not self.findings else 0

    def fails(self, finding: Finding) -> bool:
        """Return whether a finding fails the check."""
        if finding.acknowledged is not None:
            return False
        return finding.fails or (self.strict and finding.state == "cannot tell")

    def _badness(self, finding: Finding) -> tuple[bool, int, float, str]:
        size = abs(finding.size) if math.isfinite(finding.size) else math.inf
        place = STATES.index(finding.state)
        return not self.fails(finding), place, -size, str(finding.row)

    def verdict(self) -> str:
        """Return the one-line verdict: how many findings fail, by state."""
        if not self.findings:
            return "nothing was compared"
        failing = [finding for finding in self.findings if self.fails(finding)]
        if not failing:
            return "no failing changes"
        counts = Counter(finding_text.state(finding) for finding in failing)
        return ", ".join(f"{count} {state}" for state, count in counts.items())

    def notes(self) -> tuple[str, ...]:
        """Return counts and notes of each layer, versions, and why a layer is missing."""
        lines = [_counts(layer) for layer in self.layers]
        lines += [f"{layer.layer}: {note}" for layer in self.layers for note in layer.notes]
        lines += compared_versions(self.findings)
        return tuple(filter(None, [*lines, self.stopped]))

    def outcome(self, everything: bool = False) -> Outcome:
        """Return the table to print, of all findings or of those that are not unchanged."""
        chosen = [f for f in self.findings if everything or f.state != "unchanged"]
        groups = [[finding] for finding in chosen] if everything else _grouped(chosen)
        shown = groups if everything else groups[:MOST_ROWS]
        more = len(chosen) - sum(map(len, shown))
        hint = (f"{more} more rows: see --all, --json or --markdown",) if more else ()
        return Outcome(
            title=f"{self.title}: {self.verdict()}",
            columns=_COLUMNS,
            rows=tuple(map(_cells, shown)),
            exit_status=self.exit_status,
            notes=(*hint, *self.notes()),
        )

    def show(self) -> None:
        """Print the table."""
        self.outcome().show()

    def as_json(self) -> dict[str, Any]:
        """Return the whole report as `report.schema.json` describes it."""
        return {
            "verdict": self.verdict(),
            "exit_status": self.exit_status,
            "notes": list(self.notes()),
            "layers": [
                {
                    "layer": layer.layer,
                    "comparisons": layer.comparisons,
                    "seconds": layer.seconds,
                    "states": dict(Counter(f.state for f in layer.findings)),
                }
                for layer in self.layers
            ],
            "findings": [self._json_finding(finding) for finding in self.findings],
        }

    def _json_finding(self, finding: Finding) -> dict[str, Any]:
        return {
            "row": str(finding.row),
            "layer": finding.layer,
            "backend": finding.backend,
            "subject": finding.subject,
            "state": finding.state,
            "direction": finding.direction,
            "size": _json_number(finding.size),
            "low": _json_number(finding.low),
            "high": _json_number(finding.high),
            "unit": finding.unit,
            "least_effect": _json_number(finding.least_effect),
            "message": finding.message,
            "reason": finding.reason,
            "then": dict(finding.then),
            "now": dict(finding.now),
            "fails": self.fails(finding),
            "acknowledged": finding.acknowledged,
        }

    def markdown(self) -> str:
        """Return a page for code hosts, with all findings that are not unchanged."""
        return "\n".join(self._markdown_lines()) + "\n"

    def _markdown_lines(self) -> Iterator[str]:
        yield f"## {'✅' if self.exit_status == 0 else '❌'} {self.verdict()}"
        yield ""
        yield from (f"* {markdown_escaped(note)}" for note in self.notes())
        groups = _grouped([f for f in self.findings if f.state != "unchanged"])
        if groups:
            yield ""
            yield markdown_rows(_COLUMNS, map(_cells, groups))

    def junit(self) -> str:
        """Return JUnit XML: a suite per layer, a case per finding."""
        suites = [
            JunitSuite(layer.layer, tuple(map(self._junit_case, layer.findings)), layer.seconds)
            for layer in self.layers
        ]
        return junit_document("manyseeds check", suites)

    def _junit_case(self, finding: Finding) -> JunitCase:
        classname = f"manyseeds.{finding.layer}.{finding.backend}"
        if finding.state == "unchanged":
            return JunitCase(finding.subject, classname)
        return JunitCase(
            name=finding.subject,
            classname=classname,
            outcome="failed" if self.fails(finding) else "skipped",
            message=f"{finding_text.state(finding)}: {finding_text.explanation(finding)}",
            details=" ".join(
                [
                    finding_text.size(finding),
                    finding_text.interval(finding),
                    finding_text.versions(finding.then, finding.now),
                ]
            ),
        )


def _grouped(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return findings that are missing for the same reason together, the others alone.

    A backend that cannot be started makes all its rows missing.
    """
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key: tuple[str, ...] = (str(finding.row),)
        if finding.state == "missing" and not finding.acknowledged:
            key = (finding.layer, finding.backend, finding.message)
        groups.setdefault(key, []).append(finding)
    return list(groups.values())


def _cells(group: Sequence[Finding]) -> tuple[str, ...]:
    """Return the table row of a group of findings."""
    finding = group[0]
    whole = f"{finding.layer}/{finding.backend}: {len(group)} rows"
    return (
        "~" if finding.acknowledged else _SIGNS[finding.state],
        finding_text.state(finding),
        str(finding.row) if len(group) == 1 else whole,
        finding_text.size(finding),
        finding_text.interval(finding),
        finding_text.versions(finding.then, finding.now),
        finding_text.explanation(finding),
    )


def _counts(layer: LayerResult) -> str:
    states = Counter(finding.state for finding in layer.findings)
    counted = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
    return (
        f"{layer.layer}: {counted or 'nothing compared'}; {layer.comparisons} comparisons, "
        f"{layer.seconds:.0f} s"
    )


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
