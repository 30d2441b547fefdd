"""What the parity kit found: as tables, Markdown, JSON and JUnit XML."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from manyseeds.conformance.caught import Caught
from manyseeds.conformance.matrix import Cell, Pair
from manyseeds.conformance.parity import CHECKS, TOLERANCE
from manyseeds.presentation.command_result import Outcome


@dataclass(frozen=True)
class ParityReport:
    """The matrix, the pairs it was made from, and the mutations.

    Attributes
    ----------
    whole
        Whether all recipes were followed: then every technique must have been.
    """

    backends: tuple[str, ...]
    steps: int
    cells: tuple[Cell, ...]
    pairs: tuple[Pair, ...]
    mutations: tuple[Caught, ...]
    whole: bool

    @property
    def exit_status(self) -> int:
        """0 if every pair is the same, every mutation caught, and nothing left unfollowed."""
        differing = [pair for pair in self.pairs if not pair.fine]
        missed = [row for row in self.mutations if not row.caught]
        left = [c for c in self.cells if self.whole and c.state == "not followed"]
        return 1 if differing or missed or left or not self.pairs else 0

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return the tables to print: the matrix, pairs that differ, mutations missed."""
        tables = [self._matrix()]
        if differing := [pair for pair in self.pairs if not pair.fine]:
            columns = ("recipe", "ours", "theirs", *CHECKS)
            rows = tuple(
                (p.recipe, p.ours, p.theirs, *(p.found.errors[c] for c in CHECKS))
                for p in differing
            )
            tables.append(Outcome("Pairs that differ", columns, rows))
        if missed := [row for row in self.mutations if not row.caught]:
            columns = ("recipe", "what", "change", "backend", "against", "error")
            tables.append(
                Outcome("Mutations missed", columns, tuple(_mutation(row) for row in missed))
            )
        return tuple(tables)

    def show(self) -> None:
        """Print the tables."""
        for outcome in self.outcomes():
            outcome.show()

    def _matrix(self) -> Outcome:
        shown = [cell for cell in self.cells if self.whole or cell.state != "not followed"]
        by_technique: dict[tuple[str, str], dict[str, Cell]] = {}
        for cell in shown:
            by_technique.setdefault((cell.kind, cell.technique), {})[cell.backend] = cell
        rows = tuple(
            (*key, *(_in_words(row[backend]) for backend in self.backends))
            for key, row in by_technique.items()
        )
        columns = ("kind", "technique", *self.backends)
        return Outcome("Parity", columns, rows, self.exit_status, self.notes())

    def notes(self) -> tuple[str, ...]:
        """Return the counts."""
        states = Counter(cell.state for cell in self.cells)
        counted = ", ".join(f"{count} {state}" for state, count in states.items())
        fine = sum(pair.fine for pair in self.pairs)
        lines = [
            f"cells: {counted}; {self.steps} steps, float64, tolerance {TOLERANCE:g}",
            f"pairs of backends on a recipe: {len(self.pairs)}, of which {fine} the same",
        ]
        if self.mutations:
            number = sum(row.caught for row in self.mutations)
            lines.append(f"mutations: {len(self.mutations)} generated, {number} caught")
        return tuple(lines)

    def as_json(self) -> dict[str, Any]:
        """Return everything."""
        return {
            "backends": list(self.backends),
            "steps": self.steps,
            "tolerance": TOLERANCE,
            "notes": list(self.notes()),
            "cells": [
                {
                    "kind": cell.kind,
                    "technique": cell.technique,
                    "backend": cell.backend,
                    "state": cell.state,
                    "recipes": cell.recipes,
                    "reason": cell.reason,
                    "errors": {check: _finite(error) for check, error in cell.errors.items()},
                }
                for cell in self.cells
            ],
            "pairs": [
                {
                    "recipe": pair.recipe,
                    "ours": pair.ours,
                    "theirs": pair.theirs,
                    "same": pair.fine,
                    "errors": {check: _finite(e) for check, e in pair.found.errors.items()},
                }
                for pair in self.pairs
            ],
            "mutations": [
                dict(
                    zip(
                        ("recipe", "what", "change", "backend", "against", "error", "caught"),
                        (*_mutation(row)[:-1], _finite(row.error), row.caught),
                        strict=True,
                    )
                )
                for row in self.mutations
            ],
        }

    def markdown(self) -> str:
        """Return the page `reports/parity.md`."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# The same technique on every backend"
        yield ""
        yield (
            f"Each recipe of the parity kit is followed for {self.steps} steps in float64 on every "
            "backend: loss and gradient of every step, final weights, scores. A cell shows the "
            "largest relative error over all recipes that use the technique, "
            f"‖a − b‖ / ‖b‖; up to {TOLERANCE:g} it is the same training."
        )
        yield ""
        yield from (f"- {note}" for note in self.notes())
        for table in self.outcomes():
            yield ""
            yield f"## {table.title}"
            yield ""
            yield "| " + " | ".join(table.columns) + " |"
            yield "|" + "---|" * len(table.columns)
            for row in table.rows:
                yield "| " + " | ".join(_text(value) for value in row) + " |"
        if self.mutations:
            yield from self._mutation_lines()

    def _mutation_lines(self) -> Iterator[str]:
        yield ""
        yield "## Mutations"
        yield ""
        yield (
            "Every hyperparameter and convention, changed in one backend's own recipe; the error "
            "against another backend's plain recipe must show it."
        )
        yield ""
        yield "| what | change | recipe | " + " | ".join(self.backends) + " |"
        yield "|---|---|---|" + "---|" * len(self.backends)
        found: dict[str, dict[str, Caught]] = {}
        for row in self.mutations:
            found.setdefault(row.mutation.name, {})[row.backend] = row
        for by_backend in found.values():
            mutation = next(iter(by_backend.values())).mutation
            errors = [_error_of(by_backend.get(backend)) for backend in self.backends]
            cells = (mutation.subject, mutation.change, mutation.recipe, *errors)
            yield "| " + " | ".join(cells) + " |"

    def junit(self) -> str:
        """Return JUnit XML: a test case a pair, a cell left unfollowed, and a mutation."""
        suite = ElementTree.Element("testsuite", name="manyseeds parity")
        failures = 0
        for name, failure in self._cases():
            case = ElementTree.SubElement(suite, "testcase", classname="parity", name=name)
            if failure:
                failures += 1
                ElementTree.SubElement(case, "failure", message=failure)
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(failures))
        ElementTree.indent(suite)
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"

    def _cases(self) -> Iterator[tuple[str, str]]:
        for pair in self.pairs:
            worst = max(pair.found.errors, key=lambda check: pair.found.errors[check])
            told = "" if pair.fine else f"{worst}: error {pair.found.error:.2g} > {TOLERANCE:g}"
            yield f"{pair.recipe}: {pair.ours} and {pair.theirs}", told
        for cell in self.cells:
            if self.whole and cell.state == "not followed":
                yield f"{cell.technique} on {cell.backend}", "no recipe of the kit uses it"
        for row in self.mutations:
            told = "" if row.caught else f"missed: error {row.error:.2g}"
            yield f"mutation {row.mutation.name} on {row.backend}", told


def _mutation(row: Caught) -> tuple[Any, ...]:
    mutation = row.mutation
    return (
        *(mutation.recipe, mutation.subject, mutation.change),
        *(row.backend, row.against, row.error),
    )


def _in_words(cell: Cell) -> str:
    error = "" if cell.error is None else f" {cell.error:.0e}"
    return f"{cell.state}{error}"


def _error_of(row: Caught | None) -> str:
    if row is None:
        return "–"
    return f"{row.error:.0e}" if row.caught else f"MISSED {row.error:.0e}"


def _text(value: Any) -> str:
    return f"{value:.1e}" if isinstance(value, float) else str(value)


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
