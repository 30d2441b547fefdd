"""Templates: HTML with HTML's escaping, Markdown with Markdown's."""

from __future__ import annotations

import base64
import hashlib
import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from manyseeds.presentation.markdown import markdown_escaped
from manyseeds.report.content.verdict_guide import NOTES, VERDICTS
from manyseeds.report.pages.inline_svg import inlined


def html(template: str, **values: object) -> str:
    """Return a page as one self-contained HTML file.

    Its content security policy allows only the page's own script, even if a name contains another,
    and no requests.
    """
    environment = _environment(autoescape=True)
    script = (
        environment.loader.get_source(environment, "script.js")[0] if environment.loader else ""
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        script=Markup(script), script_sha256=digest, inlined=inlined, **values
    )


def markdown(template: str, **values: object) -> str:
    """Return a page as Markdown; every value is escaped."""
    environment = _environment(autoescape=False, finalize=markdown_escaped)
    text = environment.get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(**options: object) -> Environment:
    environment = Environment(
        loader=PackageLoader("manyseeds.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,  # type: ignore[arg-type]
    )
    environment.globals |= {"verdicts": VERDICTS, "reading_notes": NOTES}
    return environment
