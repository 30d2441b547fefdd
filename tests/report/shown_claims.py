"""The claims that each product of a report shows: page, Markdown, CSV, console, JSON, frame."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from manyseeds.presentation.wording import backend_name, case_name


class Cells(HTMLParser):
    """Collects the text of every cell, by section, table and row."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.cell = {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "section":
            self.tables = self.sections.setdefault(dict(attrs)["id"], [])
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.cell = []

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append(" ".join("".join(self.cell).split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


HEADS = {
    "verdict": "Verdict",
    "improvement": "Improvement",
    "pairs": "Pairs of promised",
}


def _picked(heads, rows, claim):
    """Return the cells of a table of verdicts by claim, case and backend."""
    found = {}
    for row in rows:
        cells = dict(zip(heads, row, strict=True))
        verdict = cells["Verdict"].split()[-1]  # after the badge's sign
        key = claim, cells.get("Case", ""), cells["Backend"]
        found[key] = (verdict, cells["Improvement"], cells["Pairs of promised"])
    return found


def on_html(path, claims):
    """Return verdict, improvement and pairs by claim, case and backend, from an HTML page."""
    sections = Cells(path.read_text(encoding="utf-8")).sections
    found = {}
    for number, claim in enumerate(claims, start=1):
        heads, *rows = sections[f"claim-{number}"][0]
        found |= _picked(heads, rows, claim)
    return found


def on_markdown(path, claims):
    """Return verdict, improvement and pairs by claim, case and backend, from Markdown."""
    text = path.read_text(encoding="utf-8").replace("&gt;", ">")
    parts = re.split(r"\n## Claim \d+: ", text)[1:]
    found = {}
    for claim, part in zip(claims, parts, strict=True):
        lines = next(line for line in part.split("\n\n") if line.lstrip().startswith("| "))
        table = [
            [" ".join(cell.split()) for cell in line.strip("| ").split("|")]
            for line in lines.strip().splitlines()
        ]
        found |= _picked(table[0], table[2:], claim)
    return found


def key(row):
    """Return a frame's row as the pages name it: claim, case, backend."""
    return row["claim"], case_name(row["case"]), backend_name(row["backend"])
