"""CSV files: a spreadsheet shows their cells, and runs none."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
import synthetic
from synthetic import SMALL, World

from manyseeds.report import render
from manyseeds.report.pages.csv_file import csv_bytes


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text):
    table = pd.read_csv(io.BytesIO(csv_bytes(pd.DataFrame({text: [text, "plain"]}))))
    safe = "'" + text.replace("\r", "\n")
    assert list(table) == [safe]
    assert table.iloc[:, 0].tolist() == [safe, "plain"]


def test_numbers_and_other_texts_stay_as_they_are():
    frame = pd.DataFrame(
        {"n": [-0.5, np.nan], "i": [-3, 4], "t": ["-0.5", "he_normal"], "u": ["a=b", ""]}
    )
    assert csv_bytes(frame).decode() == "n,i,t,u\n-0.5,-3,-0.5,a=b\n,4,he_normal,\n"


def test_no_cell_of_a_report_is_a_formula(tmp_path):
    text = SMALL.replace("A larger rate is better.", "@SUM(A1:A9)")
    text = text.replace('label = "book"', 'label = "-book"').replace('"printed"', '"=cmd()"')
    ledger = synthetic.write(tmp_path / "r", World(text=text, curves=False, backends=("jax",)))
    render([ledger], tmp_path / "out", ["csv"])
    cells = [
        cell
        for path in (tmp_path / "out").rglob("*.csv")
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines())
        for cell in row
    ]
    assert {"'=cmd()", "'@SUM(A1:A9)", "'-book"} <= set(cells)
    formulas = [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert all(isinstance(float(cell), float) for cell in formulas)
