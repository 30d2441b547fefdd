"""What a check found, for a person, a code host, a CI system and a program."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree

from manyseeds.check.findings import STATES, Finding, LayerResult
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.markdown import markdown_escaped

SHOWN = 40
"""Rows printed at most; files have all of them."""

_SIGNS = {
    "changed": "✗", "missing": "✗", "not comparable": "≠", "cannot tell": "?", "unchanged": "✓"
}  # fmt: skip
_COLUMNS = ("", "state", "row", "change", "95 % interval", "versions", "what and why")


@dataclass(frozen=True)
class CheckReport:
    """The layers that were run.

    Attributes
    ----------
    strict
        Whether what cannot be told fails too.
    stopped
        Why not all layers that were asked for are there; "" if they are.
    """

    layers: tuple[LayerResult, ...]
    strict: bool = False
    stopped: str = ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the worst first."""
        found = [finding for layer in self.layers for finding in layer.findings]
        return tuple(sorted(found, key=self._badness))

    @property
    def exit_status(self) -> int:
        """0 if nothing fails that is not acknowledged, and everything asked for was compared."""
        failing = any(self.fails(finding) for finding in self.findings)
        return 1 if failing or self.stopped or not self.findings else 0

    def fails(self, finding: Finding) -> bool:
        """Whether the check fails by a finding."""
        if finding.acknowledged is not None:
            return False
        return finding.fails or (self.strict and finding.state == "cannot tell")

    def _badness(self, finding: Finding) -> tuple[bool, int, float, str]:
        size = abs(finding.size) if math.isfinite(finding.size) else math.inf
        return not self.fails(finding), STATES.index(finding.state), -size, finding.row

    def outcome(self, everything: bool = False) -> Outcome:
        """Return the table to print: what is not unchanged, or all of it."""
        chosen = [f for f in self.findings if everything or f.state != "unchanged"]
        groups = [[finding] for finding in chosen] if everything else _alike(chosen)
        shown = groups if everything else groups[:SHOWN]
        rows = tuple(map(self._row, shown))
        more = len(chosen) - sum(map(len, shown))
        left = (f"{more} more rows: --all, --json or --markdown has them",) if more else ()
        title = "Since the baseline: " + self.verdict()
        return Outcome(title, _COLUMNS, rows, self.exit_status, (*left, *self.notes()))

    def verdict(self) -> str:
        """Return the one line that is read first."""
        if not self.findings:
            return "nothing was compared"
        failing = [finding for finding in self.findings if self.fails(finding)]
        if not failing:
            return "nothing has changed that fails"
        worst = Counter(_what(finding) for finding in failing)
        return ", ".join(f"{count} {what}" for what, count in worst.items())

    def notes(self) -> tuple[str, ...]:
        """Return a line a layer, and what else must be said."""
        lines = [_layer_note(layer) for layer in self.layers]
        lines += [f"{layer.layer}: {note}" for layer in self.layers for note in layer.notes]
        return tuple(filter(None, [*lines, self.stopped]))

    def show(self) -> None:
        """Print the table."""
        self.outcome().show()

    def _row(self, group: Sequence[Finding]) -> tuple[str, ...]:
        finding = group[0]
        whole = f"{finding.layer}/{finding.backend}: {len(group)} rows"
        return (
            "~" if finding.acknowledged else _SIGNS[finding.state],
            _what(finding),
            finding.row if len(group) == 1 else whole,
            change(finding),
            interval(finding),
            versions(finding.then, finding.now),
            why(finding),
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything; numbers that are not finite are null."""
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
            "findings": [self._document(finding) for finding in self.findings],
        }

    def _document(self, finding: Finding) -> dict[str, Any]:
        found = {"row": finding.row} | asdict(finding) | {"fails": self.fails(finding)}
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in found.items()
        }

    def markdown(self) -> str:
        """Return a page for code hosts."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"## {'✅' if self.exit_status == 0 else '❌'} {self.verdict()}"
        yield ""
        yield from (f"* {markdown_escaped(note)}" for note in self.notes())
        told = [f for f in self.findings if f.state != "unchanged"]
        if told:
            yield ""
            yield "| " + " | ".join(_COLUMNS) + " |"
            yield "|" + "---|" * len(_COLUMNS)
        for group in _alike(told):
            yield "| " + " | ".join(str(markdown_escaped(c)) for c in self._row(group)) + " |"

    def junit(self) -> str:
        """Return JUnit XML: a suite a layer, a case a finding."""
        root = ElementTree.Element("testsuites", name="manyseeds check")
        for layer in self.layers:
            failing = [finding for finding in layer.findings if self.fails(finding)]
            skipped = [f for f in layer.findings if not self.fails(f) and f.state != "unchanged"]
            suite = ElementTree.SubElement(
                root,
                "testsuite",
                name=layer.layer,
                tests=str(len(layer.findings)),
                failures=str(len(failing)),
                errors="0",
                skipped=str(len(skipped)),
                time=f"{layer.seconds:.3f}",
            )
            for finding in layer.findings:
                self._case(suite, finding)
        ElementTree.indent(root)
        return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"

    def _case(self, suite: ElementTree.Element, finding: Finding) -> None:
        where = f"manyseeds.{finding.layer}.{finding.backend}"
        case = ElementTree.SubElement(
            suite, "testcase", classname=where, name=_printable(finding.subject)
        )
        if finding.state == "unchanged":
            return
        tag = "failure" if self.fails(finding) else "skipped"
        told = _printable(f"{_what(finding)}: {why(finding)}")
        element = ElementTree.SubElement(case, tag, message=told)
        element.text = _printable(
            f"{change(finding)} {interval(finding)} {versions(finding.then, finding.now)}"
        )


def _alike(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return what is missing for one reason together: a backend that cannot be started, say."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        alike = finding.state == "missing" and not finding.acknowledged
        key = (finding.layer, finding.backend, finding.told) if alike else (finding.row,)
        groups.setdefault(key, []).append(finding)
    return list(groups.values())


def _what(finding: Finding) -> str:
    return f"{finding.state} ({finding.direction})" if finding.direction else finding.state


def change(finding: Finding) -> str:
    """Return the size of a change in its unit."""
    return "" if math.isnan(finding.size) else _amount(finding.size, finding.unit)


def interval(finding: Finding) -> str:
    """Return its interval."""
    if math.isnan(finding.low) or math.isnan(finding.high):
        return ""
    return f"{_amount(finding.low, finding.unit)} … {_amount(finding.high, finding.unit)}"


def _amount(value: float, unit: str) -> str:
    match unit:
        case "ratio":
            return f"×{value:.3f}"
        case "share":
            return f"{100 * value:+.2f} points"
        case "relative error":
            return f"{value:.1e}"
        case _:
            return f"{value:+.4g} {unit}".strip()


def why(finding: Finding) -> str:
    """Return what differs, the likely reason and why it is accepted."""
    reason = f"likely: {finding.reason}" if finding.reason else ""
    known = f"acknowledged: {finding.acknowledged}" if finding.acknowledged else ""
    return "; ".join(filter(None, [finding.told, reason, known]))


def versions(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return the packages whose versions differ: "keras 3.14.0 → 3.15.1".

    None where nothing ran on one side.
    """
    if not then or not now:
        return ""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return ", ".join(f"{n} {then.get(n, 'none')} → {now.get(n, 'none')}" for n in names)


def _layer_note(layer: LayerResult) -> str:
    states = Counter(finding.state for finding in layer.findings)
    counted = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
    return (
        f"{layer.layer}: {counted or 'nothing compared'}; {layer.comparisons} comparisons, "
        f"{layer.seconds:.0f} s"
    )


def _printable(text: str) -> str:
    """Return a text without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
