"""The report of the parity kit: tables, Markdown, JSON and JUnit XML."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from manyseeds.conformance.comparison import CHECKS, TOLERANCE
from manyseeds.conformance.matrix import BackendPair, MatrixCell
from manyseeds.conformance.mutation_results import MutationResult
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.junit import JunitCase, JunitSuite, junit_suite_document
from manyseeds.presentation.markdown import markdown_escaped, markdown_rows

_MUTATION_COLUMNS = ("recipe", "what", "change", "backend", "against", "error")


@dataclass(frozen=True)
class ParityReport:
    """The matrix, the pairs it was made from, and the mutations.

    Attributes
    ----------
    steps
        How many steps of each recipe were followed.
    whole
        Whether all recipes of the kit were followed: only then does a technique fail that no recipe
        uses.
    """

    backends: tuple[str, ...]
    steps: int
    cells: tuple[MatrixCell, ...]
    pairs: tuple[BackendPair, ...]
    mutations: tuple[MutationResult, ...]
    whole: bool

    @property
    def exit_status(self) -> int:
        """0 if every pair is the same, every mutation caught, and every technique followed."""
        failing = self._differing() or self._missed() or self._not_followed()
        return 1 if failing or not self.pairs else 0

    def _differing(self) -> list[BackendPair]:
        return [pair for pair in self.pairs if not pair.fine]

    def _missed(self) -> list[MutationResult]:
        return [result for result in self.mutations if not result.caught]

    def _not_followed(self) -> list[MatrixCell]:
        """Return the techniques that no recipe uses, if all recipes were followed."""
        return [cell for cell in self.cells if self.whole and cell.state == "not followed"]

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return the tables to print: the matrix, pairs that differ, mutations missed."""
        tables = [self._matrix()]
        if differing := self._differing():
            columns = ("recipe", "ours", "theirs", *CHECKS)
            rows = tuple(
                (p.recipe, p.ours, p.theirs, *(p.comparison.errors[c] for c in CHECKS))
                for p in differing
            )
            tables.append(Outcome("Pairs that differ", columns, rows))
        if missed := self._missed():
            rows = tuple(map(_mutation_row, missed))
            tables.append(Outcome("Mutations missed", _MUTATION_COLUMNS, rows))
        return tuple(tables)

    def show(self) -> None:
        """Print the tables."""
        for outcome in self.outcomes():
            outcome.show()

    def _matrix(self) -> Outcome:
        by_technique: dict[tuple[str, str], dict[str, MatrixCell]] = {}
        for cell in self.cells:
            if self.whole or cell.state != "not followed":
                by_technique.setdefault((cell.kind, cell.technique), {})[cell.backend] = cell
        rows = tuple(
            (*technique, *(_state(cells[backend]) for backend in self.backends))
            for technique, cells in by_technique.items()
        )
        columns = ("kind", "technique", *self.backends)
        return Outcome("Parity", columns, rows, self.exit_status, self.notes())

    def notes(self) -> tuple[str, ...]:
        """Return the counts of cells, pairs and mutations."""
        states = Counter(cell.state for cell in self.cells)
        counted = ", ".join(f"{count} {state}" for state, count in states.items())
        fine = sum(pair.fine for pair in self.pairs)
        lines = [
            f"cells: {counted}; {self.steps} steps, float64, tolerance {TOLERANCE:g}",
            f"pairs of backends on a recipe: {len(self.pairs)}, of which {fine} the same",
        ]
        if self.mutations:
            caught = sum(result.caught for result in self.mutations)
            lines.append(f"mutations: {len(self.mutations)} generated, {caught} caught")
        return tuple(lines)

    def as_json(self) -> dict[str, Any]:
        """Return the whole report."""
        return {
            "backends": list(self.backends),
            "steps": self.steps,
            "tolerance": TOLERANCE,
            "notes": list(self.notes()),
            "cells": [_json_cell(cell) for cell in self.cells],
            "pairs": [_json_pair(pair) for pair in self.pairs],
            "mutations": [_json_mutation(result) for result in self.mutations],
        }

    def markdown(self) -> str:
        """Return the page `reports/parity.md`."""
        return "\n".join(self._markdown_lines()) + "\n"

    def _markdown_lines(self) -> Iterator[str]:
        yield "# The same technique on every backend"
        yield ""
        yield (
            f"Each recipe of the parity kit is followed for {self.steps} steps in float64 on every "
            "backend: loss and gradient of every step, final weights, scores. A cell shows the "
            "largest relative error over all recipes that use the technique, "
            f"‖a − b‖ / ‖b‖; up to {TOLERANCE:g} it is the same training."
        )
        yield ""
        yield from (f"- {markdown_escaped(note)}" for note in self.notes())
        for table in self.outcomes():
            yield from ("", f"## {table.title}", "")
            yield markdown_rows(table.columns, [[*map(_text, row)] for row in table.rows])
        if self.mutations:
            yield from self._mutation_lines()

    def _mutation_lines(self) -> Iterator[str]:
        yield from ("", "## Mutations", "")
        yield (
            "Every hyperparameter and convention, changed in one backend's own recipe; the error "
            "against another backend's plain recipe must show it."
        )
        yield ""
        by_mutation: dict[str, dict[str, MutationResult]] = {}
        for result in self.mutations:
            by_mutation.setdefault(result.mutation.name, {})[result.backend] = result
        rows = []
        for by_backend in by_mutation.values():
            mutation = next(iter(by_backend.values())).mutation
            errors = [_error(by_backend.get(backend)) for backend in self.backends]
            rows.append((mutation.subject, mutation.change, mutation.recipe, *errors))
        yield markdown_rows(("what", "change", "recipe", *self.backends), rows)

    def junit(self) -> str:
        """Return JUnit XML: a case for each pair, technique not followed, and mutation."""
        cases = tuple(
            JunitCase(name, "parity", "failed" if failure else "passed", failure)
            for name, failure in self._cases()
        )
        return junit_suite_document(JunitSuite("manyseeds parity", cases))

    def _cases(self) -> Iterator[tuple[str, str]]:
        """Yield the name of every case, and why it fails; "" if it does not."""
        for pair in self.pairs:
            errors = pair.comparison.errors
            worst = max(errors, key=lambda check: errors[check])
            failure = f"{worst}: error {pair.comparison.error:.2g} > {TOLERANCE:g}"
            yield f"{pair.recipe}: {pair.ours} and {pair.theirs}", "" if pair.fine else failure
        for cell in self._not_followed():
            yield f"{cell.technique} on {cell.backend}", "no recipe of the kit uses it"
        for result in self.mutations:
            failure = "" if result.caught else f"missed: error {result.error:.2g}"
            yield f"mutation {result.mutation.name} on {result.backend}", failure


def _json_cell(cell: MatrixCell) -> dict[str, Any]:
    return {
        "kind": cell.kind,
        "technique": cell.technique,
        "backend": cell.backend,
        "state": cell.state,
        "recipes": cell.recipes,
        "reason": cell.reason,
        "errors": {check: _json_number(error) for check, error in cell.errors.items()},
    }


def _json_pair(pair: BackendPair) -> dict[str, Any]:
    errors = pair.comparison.errors
    return {
        "recipe": pair.recipe,
        "ours": pair.ours,
        "theirs": pair.theirs,
        "same": pair.fine,
        "errors": {check: _json_number(error) for check, error in errors.items()},
    }


def _json_mutation(result: MutationResult) -> dict[str, Any]:
    row = dict(zip(_MUTATION_COLUMNS, _mutation_row(result), strict=True))
    return row | {"error": _json_number(result.error), "caught": result.caught}


def _mutation_row(result: MutationResult) -> tuple[Any, ...]:
    mutation = result.mutation
    names = (mutation.recipe, mutation.subject, mutation.change)
    return (*names, result.backend, result.against, result.error)


def _state(cell: MatrixCell) -> str:
    error = "" if cell.error is None else f" {cell.error:.0e}"
    return f"{cell.state}{error}"


def _error(result: MutationResult | None) -> str:
    if result is None:
        return "–"
    return f"{result.error:.0e}" if result.caught else f"MISSED {result.error:.0e}"


def _text(value: Any) -> str:
    return f"{value:.1e}" if isinstance(value, float) else str(value)


def _json_number(value: float) -> float | str:
    """Return a number as JSON can hold it: infinities and NaN as text."""
    return value if math.isfinite(value) else str(value)
