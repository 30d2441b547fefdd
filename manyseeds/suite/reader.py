"""Suites as TOML: how they are read, what is wrong with them.

A suite file has `[tasks.*]`, `[networks.*]` and `[phases.*]` by name, `[[recipes]]` that list
phases (by name, or `{use = "name", rate = 1e-4}` to change some keys), `[[claims]]`, and
`[quick]`: a partial suite laid over the full one for the quick form.

What is short to write: `hidden = [300, 100]` with what `manyseeds.suite.dense_stack` knows for a
stack of dense layers; `reuse = 5` for the five hidden layers next to the input;
`frozen = "reused"`; `classes = "pair"` or `"rest"` for the classes in, or outside, each pair of
`pairs`.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from manyseeds.errors import RequestError, unknown
from manyseeds.model import Model, frozen
from manyseeds.suite.claims import ESTIMANDS, Claim
from manyseeds.suite.dense_stack import dense_stack
from manyseeds.suite.recipe import Phase, Recipe, Task
from manyseeds.suite.suite import Cell, Suite, VarianceStudy
from manyseeds.suite.validation_messages import explained
from manyseeds.techniques.network import Network

Table = Mapping[str, Any]

Pair = tuple[int, int]

ModelT = TypeVar("ModelT", bound=Model)

_SECTIONS = ("tasks", "networks", "phases", "recipes", "claims", "variance", "pairs", "quick")

_CLASSES = 10


def parse_suite(text: str, file: str, *, quick: bool = False) -> Suite:
    """Return the suite that a text describes; `file` is what errors call it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{file}: not TOML: {error}") from None
    overlay = document.pop("quick", None)
    if not isinstance(overlay, Mapping | None):
        raise RequestError(f"{file}: quick: expected a table [quick]")
    if quick:
        if overlay is None:
            raise RequestError(f"{file}: has no [quick] form; run it without --quick")
        try:
            document = _overlaid(document, overlay)
        except RequestError as error:
            raise RequestError(f"{file}: {error}") from None
    return _Reader(file, document).suite()


def _overlaid(base: Table, overlay: Table) -> dict[str, Any]:
    """Lay one document over another: tables merge key by key, all else is replaced.

    Of a list of tables with names, such as [[claims]], those that [quick.claims.NAME] names merge.
    """
    merged = dict(base)
    for key, value in overlay.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            merged[key] = _overlaid(under, value)
        elif isinstance(value, Mapping) and isinstance(under, list) and _are_named(under):
            merged[key] = _overlaid_by_name(key, under, value)
        else:
            merged[key] = value
    return merged


def _are_named(tables: list[Any]) -> bool:
    return all(isinstance(table, Mapping) and "name" in table for table in tables)


def _overlaid_by_name(key: str, base: list[Table], overlay: Table) -> list[Table]:
    names = [table["name"] for table in base]
    for name, table in overlay.items():
        if name not in names:
            raise RequestError(f"quick.{key}: {unknown(key.removesuffix('s'), name, names)}")
        if not isinstance(table, Mapping):
            raise RequestError(f"quick.{key}.{name}: expected a table")
    return [_overlaid(table, overlay.get(table["name"], {})) for table in base]


class _Reader:
    """Turns a parsed document into a `Suite`, naming file and key in every complaint."""

    def __init__(self, file: str, document: Table) -> None:
        self.file = file
        self.document = document

    def suite(self) -> Suite:
        plain = {key: value for key, value in self.document.items() if key not in _SECTIONS}
        parts: dict[str, Any] = {
            "cells": tuple(self._cells()),
            "claims": tuple(
                self._claim(claim, f"claims[{index}]")
                for index, claim in enumerate(self._list("claims"))
            ),
        }
        if "variance" in self.document:
            parts["variance"] = self._model(VarianceStudy, self.document["variance"], "variance")
        return self._model(Suite, plain | parts, "", also=_SECTIONS)

    def _claim(self, table: Table, key: str) -> Claim:
        name = table.get("estimand", "difference")
        if not isinstance(name, str) or name not in ESTIMANDS:
            what = unknown("estimand", name, ESTIMANDS) if isinstance(name, str) else "a name"
            raise self._wrong(f"{key}.estimand", what)
        claim: Claim = self._model(ESTIMANDS[name], {"estimand": name, **table}, key)
        return claim

    def _cells(self) -> Iterator[Cell]:
        recipes = self._list("recipes")
        if not recipes:
            raise self._wrong("recipes", "a suite needs at least one [[recipes]]")
        names = [name for recipe in recipes if isinstance(name := recipe.get("name"), str)]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise self._wrong("recipes", f"two recipes are called {doubled.pop()!r}")
        pairs = self._pairs()
        for index, table in enumerate(recipes):
            first = self._recipe(table, index, pairs[0])
            if first == self._recipe(table, index, _OTHER):
                yield Cell(case="", recipe=first)
                continue
            for pair in pairs:
                yield Cell(case=_case(pair), recipe=self._recipe(table, index, pair))

    def _recipe(self, table: Table, index: int, pair: Pair) -> Recipe:
        key = f"recipes[{index}]"
        phases = table.get("phases")
        if not isinstance(phases, list):
            raise self._wrong(f"{key}.phases", "expected a list of phases")
        built = tuple(
            self._phase(entry, f"{key}.phases[{number}]", pair)
            for number, entry in enumerate(phases)
        )
        return self._model(Recipe, {**table, "phases": built}, key)

    def _phase(self, entry: Any, key: str, pair: Pair) -> Phase:
        changes = dict(entry) if isinstance(entry, dict) else {"use": entry}
        name = changes.pop("use", None)
        table = {"name": name, **self._named("phases", name, f"{key}.use"), **changes}
        table["task"] = self._task(table.get("task"), f"{key}.task", pair)
        network = self._network(table.get("network"), f"{key}.network")
        table["network"] = network
        if isinstance(table.get("reuse"), dict):
            table["reuse_from"] = tuple(table["reuse"].items())
            table["reuse"] = tuple(table["reuse"])
        if isinstance(table.get("reuse"), int):
            table["reuse"] = self._lowest(network, table["reuse"], f"{key}.reuse")
        if table.get("frozen") == "reused":
            table["frozen"] = table.get("reuse", ())
        return self._model(Phase, table, key)

    def _lowest(self, network: Network, count: int, key: str) -> tuple[str, ...]:
        """Return the labels of everything with weights up to the dense layer after the lowest."""
        hidden = network.hidden_labels()
        if not 1 <= count <= len(hidden):
            raise self._wrong(
                key, f"{count} hidden layers asked for, the network has {len(hidden)}"
            )
        labels = network.labels()
        return labels[: labels.index(network.dense()[count].label)]

    def _task(self, name: Any, key: str, pair: Pair) -> Task:
        table = dict(self._named("tasks", name, key))
        classes = table.get("classes")
        if classes == "pair":
            table["classes"] = pair
        elif classes == "rest":
            table["classes"] = tuple(c for c in range(_CLASSES) if c not in pair)
        elif isinstance(classes, str):
            raise self._wrong(
                f"tasks.{name}.classes", 'expected a list of classes, "pair" or "rest"'
            )
        return self._model(Task, {"name": name, **table}, f"tasks.{name}")

    def _network(self, name: Any, key: str) -> Network:
        table = dict(self._named("networks", name, key))
        if "hidden" in table:
            table["layers"] = self._dense_stack(table, f"networks.{name}")
        return self._model(Network, {"name": name, **table}, f"networks.{name}")

    def _dense_stack(self, table: dict[str, Any], key: str) -> list[Any]:
        units = table.pop("hidden")
        if not isinstance(units, list):
            raise self._wrong(f"{key}.hidden", "expected a list of numbers of units")
        if "output" not in table:
            raise self._wrong(f"{key}.output", "a network with `hidden` needs an `output` table")
        output = table.pop("output")
        if isinstance(output, dict):
            output = {"name": "dense", **output}
        return [*dense_stack(units, table), output]

    def _pairs(self) -> tuple[Pair, ...]:
        pairs = self.document.get("pairs", [[5, 6]])
        if pairs == "all":
            return tuple(itertools.combinations(range(_CLASSES), 2))
        if not _are_pairs(pairs):
            expected = 'a list of two different classes each, such as [[5, 6]], or "all"'
            raise self._wrong("pairs", f"expected {expected}")
        for pair in pairs:
            if pairs.count(pair) > 1:
                raise self._wrong("pairs", f"{pair} is there twice")
        return tuple((first, second) for first, second in pairs)

    def _named(self, section: str, name: Any, key: str) -> Table:
        tables = self.document.get(section, {})
        if not isinstance(tables, Mapping):
            raise self._wrong(section, f"expected tables [{section}.NAME]")
        if not isinstance(name, str):
            raise self._wrong(key, f"expected the name of one of [{section}.*]")
        if name not in tables:
            raise self._wrong(key, unknown(section.removesuffix("s"), name, tables))
        table = tables[name]
        if not isinstance(table, Mapping):
            raise self._wrong(f"{section}.{name}", "expected a table")
        return table

    def _list(self, section: str) -> list[Table]:
        tables = self.document.get(section, [])
        if not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables):
            raise self._wrong(section, f"expected tables [[{section}]]")
        return tables

    def _model(
        self, model: type[ModelT], table: Any, key: str, also: tuple[str, ...] = ()
    ) -> ModelT:
        try:
            return model.model_validate(frozen(table))
        except ValidationError as error:
            raise RequestError(explained(error, model, self.file, key, also)) from None

    def _wrong(self, key: str, what: str) -> RequestError:
        return RequestError(f"{self.file}: {key}: {what}")


_OTHER: Pair = (-1, -2)
"""No pair at all: a recipe that comes out the same with it does not depend on the pair."""


def _case(pair: Pair) -> str:
    return f"{pair[0]}-{pair[1]}"


def _are_pairs(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(pair, list)
            and len(set(map(repr, pair))) == len(pair) == 2
            and all(isinstance(c, int) and 0 <= c < _CLASSES for c in pair)
            for pair in value
        )
    )
