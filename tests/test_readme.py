"""The README states the verdicts of the committed report."""

import csv
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


def test_the_seeds_a_cherry_picker_needs_are_the_reports():
    with (REPORT / "transfer" / "cherries.csv").open(encoding="utf-8") as file:
        known = {
            float(row["figure"]): {
                name: -int(-float(row[name]) // 1) for name in ("k", "low", "high")
            }
            for row in csv.DictReader(file)
            if row["claim"] == "transfer_one_rate" and row["backend"] == "all"
        }
    text = " ".join(readme().split())
    four = known[4.0]
    assert f"the best of {four['k']} seeds and you have a 50 % chance" in text
    assert f"(95 % interval: {four['low']} to {four['high']} seeds)" in text
    assert f'for "a factor of three", {known[3.0]["k"]} seeds are enough.' in text
