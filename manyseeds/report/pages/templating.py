"""The templates: HTML that escapes as HTML needs it, Markdown that escapes as Markdown does."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from manyseeds.presentation.markdown import markdown_escaped
from manyseeds.report.content.verdict_guide import NOTES, VERDICTS
from manyseeds.report.pages.inline_svg import inlined


def html(template: str, **values: object) -> str:
    """Return a page as one HTML file that needs nothing else.

    Its content policy lets nothing run but the script that comes along, whatever a name holds, and
    nothing be fetched.
    """
    return _html().get_template(template).render(**values)


def markdown(template: str, **values: object) -> str:
    """Return a page as Markdown; every value is escaped."""
    text = _markdown().get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def _html() -> Environment:
    found = _environment(autoescape=True)
    script = found.loader.get_source(found, "script.js")[0] if found.loader else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    found.globals |= {"script": Markup(script), "script_sha256": digest, "inlined": inlined}
    return found


@cache
def _markdown() -> Environment:
    return _environment(autoescape=False, finalize=markdown_escaped)


def _environment(**how: object) -> Environment:
    found = Environment(
        loader=PackageLoader("manyseeds.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **how,  # type: ignore[arg-type]
    )
    found.globals |= {"verdicts": VERDICTS, "reading_notes": NOTES}
    return found
