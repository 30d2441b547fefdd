"""Markdown: escaping, and tables."""

from __future__ import annotations

import re

from markupsafe import Markup


def markdown_escaped(value: object) -> object:
    """Return a text escaped for Markdown and HTML; other values unchanged."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = " ".join(value.split(" ")).replace("\r", " ").replace("\n", " ")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|\[\]#~!])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
