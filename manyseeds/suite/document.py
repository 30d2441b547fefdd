"""A parsed suite file: access to its tables, with messages that name the file and the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from manyseeds.errors import RequestError, unknown
from manyseeds.model import Model, frozen
from manyseeds.model.limits import MOST_RECIPES
from manyseeds.suite.validation_messages import describe_errors

Table = Mapping[str, Any]

ModelT = TypeVar("ModelT", bound=Model)


@dataclass(frozen=True)
class Document:
    """The tables of a suite file.

    Attributes
    ----------
    file
        The name of the file in messages.
    tables
        The content of the file, as TOML gives it.
    """

    file: str
    tables: Table

    def error(self, key: str, problem: str) -> RequestError:
        """Return the error for a problem at a key."""
        return RequestError(f"{self.file}: {key}: {problem}")

    def named_table(self, section: str, name: Any, key: str) -> Table:
        """Return the table [section.name] that the value at `key` refers to."""
        tables = self.tables.get(section, {})
        if not isinstance(tables, Mapping):
            raise self.error(section, f"expected tables [{section}.NAME]")
        if not isinstance(name, str):
            raise self.error(key, f"expected the name of one of [{section}.*]")
        if name not in tables:
            raise self.error(key, unknown(section.removesuffix("s"), name, tables))
        table = tables[name]
        if not isinstance(table, Mapping):
            raise self.error(f"{section}.{name}", "expected a table")
        if "name" in table and section != "phases":
            raise self.error(f"{section}.{name}.name", f"its name is {name!r}: leave the key out")
        return table

    def table_list(self, section: str) -> list[Table]:
        """Return the tables [[section]]; none if the file has none."""
        tables = self.tables.get(section, [])
        if not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables):
            raise self.error(section, f"expected tables [[{section}]]")
        if len(tables) > MOST_RECIPES:
            raise self.error(
                section, f"{len(tables):,} tables: at most {MOST_RECIPES:,} are allowed"
            )
        return tables

    def validate(
        self,
        model: type[ModelT],
        table: Any,
        key: str,
        also: tuple[str, ...] = (),
        but: tuple[str, ...] = (),
    ) -> ModelT:
        """Return the model that a table describes.

        Parameters
        ----------
        model
            The class of the model.
        table, key
            The table and its place in the file.
        also, but
            Keys that may stand there besides the model's fields, and fields that may not; for the
            suggestions in messages.

        Raises
        ------
        RequestError
            The table is invalid; the message has a line for every mistake.
        """
        try:
            return model.model_validate(frozen(table))
        except ValidationError as error:
            raise RequestError(describe_errors(error, model, self.file, key, also, but)) from None
