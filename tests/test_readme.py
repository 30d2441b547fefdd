"""The README states the verdicts of the committed report."""

import re
from pathlib import Path

CLONE = Path(__file__).parent.parent
REPORT = CLONE / "reports" / "baseline"


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def reported():
    """Return the lines of the chapter's table: question, verdict, improvement, … as printed."""
    number, rows = "", []
    for line in (REPORT / "chapter.md").read_text(encoding="utf-8").splitlines():
        row = cells(line)
        if line.startswith("|") and len(row) > 9:
            number = row[0] or number
            rows.append([number, *row[2:6], *row[-2:]])
    return rows


def readme():
    return (CLONE / "README.md").read_text(encoding="utf-8")


def test_every_verdict_in_the_readme_is_the_reports():
    rows = [cells(line) for line in readme().splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) >= 10
    for row in rows:
        assert row in reported()


def tries():
    """Return the tries for a 50 % chance and their interval by factor, of the first claim."""
    text = (REPORT / "transfer.md").read_text(encoding="utf-8")
    table = text[text.index("Factor of errors") :].split("\n\n", 1)[0]
    rows = [cells(line) for line in table.splitlines()[2:]]
    return {row[0]: (row[2], *row[3].split(" to ")) for row in rows}


def test_the_seeds_a_cherry_picker_needs_are_the_reports():
    text = " ".join(readme().split())
    k, low, high = tries()["4"]
    assert f"the best of {k} seeds and you have a 50 % chance" in text
    assert f"(95 % interval: {low} to {high} seeds)" in text
    assert f'for "a factor of three", {tries()["3"][0]} seeds are enough.' in text
