"""The README states the verdicts of the committed report, and its examples exist."""

import re
from itertools import chain
from pathlib import Path

import pytest

from manyseeds.check.acknowledgements import read_acknowledgements
from manyseeds.check.baseline import Baseline
from manyseeds.check.rows import LAYERS, RowPattern
from manyseeds.cli.gate_commands import BASELINE

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


ROW = re.compile(rf'"((?:{"|".join(LAYERS)})/[^"]+)"|(?<= )((?:{"|".join(LAYERS)})/[a-z]+/\w+)')
HELP = CLONE / "manyseeds" / "cli" / "gate_commands.py"


def rows_named(path):
    """Return the rows, and patterns of rows, that a text names as examples."""
    text = path.read_text(encoding="utf-8")
    return [quoted or plain for quoted, plain in ROW.findall(text)]


@pytest.mark.parametrize("path", [CLONE / "README.md", HELP], ids=lambda path: path.name)
def test_every_row_of_the_gate_that_is_an_example_is_in_the_baseline(path):
    known = [*chain(*map(Baseline(CLONE / BASELINE).rows, LAYERS))]
    examples = [name for name in rows_named(path) if name != "numerics/BACKEND/RECIPE"]
    assert len(examples) >= 2
    for example in examples:
        assert any(RowPattern(example).matches(row) for row in known), example


def test_the_acknowledgement_in_the_readme_can_be_read(tmp_path):
    text = readme()
    table = text[text.index("[[acknowledged]]") :].split("```")[0]
    file = tmp_path / "acknowledged.toml"
    file.write_text(table)
    (known,) = read_acknowledgements(file)
    assert known.row == "numerics/tensorflow/elu_nadam_keras3"
