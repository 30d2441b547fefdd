"""The formats in which a report can be written."""

from __future__ import annotations

FORMATS = ("html", "md", "csv", "latex")
DEFAULT_FORMATS = ("html", "md", "csv")
