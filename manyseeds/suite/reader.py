"""The reading of suites from TOML.

A suite file has `[tasks.*]`, `[networks.*]` and `[phases.*]` by name, `[[recipes]]` that list
phases (by name, or as `{use = "name", rate = 1e-4}` to change some keys), `[[claims]]`, and
`[quick]`: a partial suite laid over the full one for the quick form.

Short forms: `hidden = [300, 100]` and the other keys of `manyseeds.suite.dense_stack` for a stack
of dense layers; `reuse = 5` for the five hidden layers next to the input; `frozen = "reused"`;
`classes = "pair"` or `"rest"` for the classes in, or outside, each pair of `pairs`.

Names are those of `manyseeds.model.names`, sizes are bounded by `manyseeds.model.limits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from manyseeds.errors import RequestError, quoted, unknown
from manyseeds.model.limits import MOST_TRAINED
from manyseeds.model.names import check_distinct
from manyseeds.model.toml_text import NotTomlError, parse_toml
from manyseeds.suite.claims import ESTIMANDS, Claim
from manyseeds.suite.class_pairs import NO_PAIR, case_name, read_pairs
from manyseeds.suite.document import Document, Table
from manyseeds.suite.overlay import overlaid
from manyseeds.suite.plain_values import is_whole, value_problem
from manyseeds.suite.recipe_tables import read_recipe
from manyseeds.suite.suite import Cell, Suite, VarianceStudy

_SECTIONS = ("tasks", "networks", "phases", "recipes", "claims", "variance", "pairs", "quick")
_OTHER_SECTIONS = ("tasks", "networks", "phases", "recipes", "pairs", "quick")
"""Sections that are not fields of a `Suite`."""


class NoQuickFormError(RequestError):
    """A suite's quick form is wanted, and it has none."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file}: has no [quick] form; leave out --quick (in Python, quick=True)")
        self.file = file


def parse_suite(text: str, file: str, *, quick: bool = False) -> Suite:
    """Return the suite that a text describes.

    Parameters
    ----------
    text
        The content of a suite file, in TOML.
    file
        The name of the file in messages.
    quick
        Return the suite's quick form.

    Raises
    ------
    RequestError
        The text is not a valid suite; the message names file, key and remedy.
    """
    try:
        tables = parse_toml(text)
    except NotTomlError as error:
        raise RequestError(f"{file}: not TOML: {error}") from None
    if problem := value_problem(tables):
        raise RequestError(f"{file}: {': '.join(filter(None, problem))}")
    overlay = tables.pop("quick", None)
    if not isinstance(overlay, Mapping | None):
        raise RequestError(f"{file}: quick: expected a table [quick]")
    if not quick:
        return _read_form(Document(file, tables), tables)
    if overlay is None:
        raise NoQuickFormError(file)
    try:
        document = Document(file, overlaid(tables, overlay))
    except RequestError as error:
        raise RequestError(f"{file}: {error}") from None
    suite = _read_form(document, overlay)
    _check_new_tables(document, tables, overlay, suite)
    return suite


def _read_form(document: Document, written: Table) -> Suite:
    """Return the suite of a document; `written` has the keys that are written for this form."""
    _check_numbers_of_seeds(document, written)
    return _read_suite(document)


def _check_new_tables(document: Document, base: Table, overlay: Table, suite: Suite) -> None:
    """Refuse a table of the quick form that changes none of the full form's and is not used.

    A slip in its name would leave the full form's numbers in the quick form.
    """
    phases = [phase for cell in suite.cells for phase in cell.recipe.phases]
    entries = [entry for recipe in document.table_list("recipes") for entry in recipe["phases"]]
    used = {
        "tasks": {phase.task.name for phase in phases},
        "networks": {phase.network.name for phase in phases},
        "phases": {entry if isinstance(entry, str) else entry["use"] for entry in entries},
    }
    for section, names in used.items():
        before = base.get(section, {})
        for name in overlay.get(section, {}):
            if name not in before and name not in names:
                raise document.error(
                    f"quick.{section}",
                    f"{unknown(section.removesuffix('s'), name, before)} No recipe uses it.",
                )


def _check_numbers_of_seeds(document: Document, written: Table) -> None:
    """Refuse more solo or variance seeds than seeds, where this form of the suite states them.

    A quick form with fewer seeds may leave the numbers of the full form as they are.
    """
    seeds, variance = document.tables.get("seeds"), written.get("variance")
    studied = variance.get("seeds") if isinstance(variance, Mapping) else None
    for key, value in (("solo", written.get("solo")), ("variance.seeds", studied)):
        if is_whole(seeds) and is_whole(value) and value > seeds:
            raise document.error(key, f"{quoted(value)}, but the suite has {quoted(seeds)} seeds")


def _read_suite(document: Document) -> Suite:
    if "cells" in document.tables:
        raise document.error("cells", "unknown key: recipes are written as tables [[recipes]]")
    plain = {key: value for key, value in document.tables.items() if key not in _SECTIONS}
    sections: dict[str, Any] = {
        "cells": tuple(_read_cells(document)),
        "claims": tuple(
            _read_claim(document, table, f"claims[{index}]")
            for index, table in enumerate(document.table_list("claims"))
        ),
    }
    if "variance" in document.tables:
        variance = document.tables["variance"]
        sections["variance"] = document.validate(VarianceStudy, variance, "variance")
    return document.validate(Suite, plain | sections, "", also=_OTHER_SECTIONS, but=("cells",))


def _read_claim(document: Document, table: Table, key: str) -> Claim:
    name = table.get("estimand", "difference")
    if not isinstance(name, str):
        raise document.error(f"{key}.estimand", "expected the name of an estimand")
    if name not in ESTIMANDS:
        raise document.error(f"{key}.estimand", unknown("estimand", name, ESTIMANDS))
    claim: Claim = document.validate(ESTIMANDS[name], {"estimand": name, **table}, key)
    return claim


def _read_cells(document: Document) -> Iterator[Cell]:
    """Yield every recipe in every case; a recipe that ignores the pair has the one case ""."""
    recipes = document.table_list("recipes")
    if not recipes:
        raise document.error("recipes", "a suite needs at least one [[recipes]]")
    names = [name for recipe in recipes if isinstance(name := recipe.get("name"), str)]
    try:
        check_distinct("recipes", names)
    except ValueError as error:
        raise document.error("recipes", str(error)) from None
    pairs = read_pairs(document)
    phases = sum(len(p) for recipe in recipes if isinstance(p := recipe.get("phases"), list))
    if phases * len(pairs) > MOST_TRAINED:
        raise document.error(
            "recipes",
            f"{phases:,} phases in {len(pairs)} cases: at most {MOST_TRAINED:,} are allowed in all",
        )
    for index, table in enumerate(recipes):
        key = f"recipes[{index}]"
        first = read_recipe(document, table, key, pairs[0])
        if first == read_recipe(document, table, key, NO_PAIR):
            yield Cell(case="", recipe=first)
            continue
        for pair in pairs:
            yield Cell(case=case_name(pair), recipe=read_recipe(document, table, key, pair))
