"""Rows of a frame as plain dictionaries."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd

Row = dict[str, Any]


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a frame as dictionaries by column name."""
    return cast(list[Row], table.to_dict("records"))
