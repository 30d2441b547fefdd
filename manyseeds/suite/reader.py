"""The reading of suites from TOML.

A suite file has `[tasks.*]`, `[networks.*]` and `[phases.*]` by name, `[[recipes]]` that list
phases (by name, or as `{use = "name", rate = 1e-4}` to change some keys), `[[claims]]`, and
`[quick]`: a partial suite laid over the full one for the quick form.

Short forms: `hidden = [300, 100]` and the other keys of `manyseeds.suite.dense_stack` for a stack
of dense layers; `reuse = 5` for the five hidden layers next to the input; `frozen = "reused"`;
`classes = "pair"` or `"rest"` for the classes in, or outside, each pair of `pairs`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from manyseeds.errors import RequestError, unknown
from manyseeds.suite.claims import ESTIMANDS, Claim
from manyseeds.suite.class_pairs import NO_PAIR, case_name, read_pairs
from manyseeds.suite.document import Document, Table
from manyseeds.suite.overlay import overlaid
from manyseeds.suite.recipe_tables import read_recipe
from manyseeds.suite.suite import Cell, Suite, VarianceStudy

_SECTIONS = ("tasks", "networks", "phases", "recipes", "claims", "variance", "pairs", "quick")


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
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{file}: not TOML: {error}") from None
    overlay = tables.pop("quick", None)
    if not isinstance(overlay, Mapping | None):
        raise RequestError(f"{file}: quick: expected a table [quick]")
    if quick:
        if overlay is None:
            raise NoQuickFormError(file)
        try:
            tables = overlaid(tables, overlay)
        except RequestError as error:
            raise RequestError(f"{file}: {error}") from None
    return _read_suite(Document(file, tables))


def _read_suite(document: Document) -> Suite:
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
    return document.validate(Suite, plain | sections, "", also=_SECTIONS)


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
    if doubled := {name for name in names if names.count(name) > 1}:
        raise document.error("recipes", f"two recipes are called {doubled.pop()!r}")
    pairs = read_pairs(document)
    for index, table in enumerate(recipes):
        key = f"recipes[{index}]"
        first = read_recipe(document, table, key, pairs[0])
        if first == read_recipe(document, table, key, NO_PAIR):
            yield Cell(case="", recipe=first)
            continue
        for pair in pairs:
            yield Cell(case=case_name(pair), recipe=read_recipe(document, table, key, pair))
