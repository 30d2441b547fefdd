"""SVG drawings prepared to stand inside an HTML page."""

from __future__ import annotations

import base64
import re

from markupsafe import Markup

from manyseeds.presentation.theme import GRID, INK, MUTED, PALETTE, PAPER, RenderedFigure

_LARGEST = 300_000
"""Bytes; a larger drawing is inlined as PNG."""

_THEMED = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"} | {
    colour: f"--data-{number}" for number, colour in enumerate(PALETTE)
}
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_IDENTIFIER = re.compile(r'(\bid="|href="#|url\(#)')


def inlined(figure: RenderedFigure) -> Markup:
    """Return a figure as markup for a page: SVG, or PNG where the SVG would be too large."""
    label = Markup('role="img" aria-label="{}"').format(figure.title)
    if len(figure.svg) > _LARGEST:
        data = base64.b64encode(figure.png).decode()
        return Markup('<img {} src="data:image/png;base64,{}">').format(
            Markup(label.replace("aria-label", "alt")), data
        )
    text = _METADATA.sub("", _PROLOGUE.sub("", figure.svg.decode()))
    return Markup(_open_tag(_themed(_apart(text, figure.name)), label))


def _apart(text: str, name: str) -> str:
    """Prefix every identifier, because several drawings share one page."""
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", name)
    return _IDENTIFIER.sub(lambda match: f"{match[1]}{prefix}-", text)


def _themed(text: str) -> str:
    """Replace colours by the page's variables, so that the dark page has dark figures."""
    for colour, variable in _THEMED.items():
        text = text.replace(colour, f"var({variable})")
    return text


def _open_tag(text: str, label: str) -> str:
    """Drop the fixed size, keep the view box, and add a label for screen readers."""
    head, rest = text.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    return f"{head} {label}>{rest}"
