"""Every product of a report shows the same verdicts and numbers, and says what is missing."""

import math
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from shown_claims import key, on_html, on_markdown
from synthetic import KINDS, World

from manyseeds import claims, render_report
from manyseeds.ledger.ledger import Ledger
from manyseeds.report.content.protocol import protocol
from manyseeds.report.reported_suites import reported_suites

BASELINE = Path(__file__).parents[2] / "results" / "baseline"


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Return the results folder of a small run with a claim of every kind."""
    results = tmp_path_factory.mktemp("kinds") / "results"
    synthetic.write(results, World(text=KINDS, run="kinds-1", backends=("jax", "pytorch")))
    return results


def pages_and_frames_agree(results, out, frame, markdown_only=False):
    """Compare the pages and the CSV of every suite with a frame of all claims."""
    for reported in reported_suites([Ledger.open(p.parent) for p in results.glob("*/plan.json")]):
        of_form = frame["form"] == protocol(reported).form
        rows = frame[(frame["suite"] == reported.suite.name) & of_form]
        assert len(rows)
        names = [claim.name for claim in reported.suite.claims]
        expected = {
            key(row): (row["verdict"], f"{row['pairs']} of {row['promised']}")
            for row in rows.to_dict("records")
        }
        readers = [on_markdown] if markdown_only else [on_markdown, on_html]
        for read, kind in zip(readers, ("md", "html"), strict=False):
            shown = read(out / f"{reported.label}.{kind}", names)
            single_case = {k: (claim, "", b) for k in expected for claim, _, b in [k]}
            for place, (verdict, pairs) in expected.items():
                found = shown.get(place) or shown[single_case[place]]
                assert found[0] == verdict, place
                assert found[2].split(";")[0] == pairs, place
            assert len(shown) == len(expected)
        csv = pd.read_csv(out / reported.label / "claims.csv", keep_default_na=False)
        assert csv["verdict"].tolist() == rows["verdict"].tolist()
        assert csv["pairs"].tolist() == rows["pairs"].tolist()


def test_pages_csv_console_json_and_frames_show_the_same_of_every_claim(kinds, tmp_path, manyseeds):
    pages_agree_with_the_command(kinds, tmp_path / "out", manyseeds, [])


@pytest.mark.slow
def test_pages_csv_console_json_and_frames_agree_on_the_whole_baseline(tmp_path, manyseeds):
    formats = ["--format", "csv", "--format", "md"]
    pages_agree_with_the_command(BASELINE, tmp_path / "out", manyseeds, formats)


def pages_agree_with_the_command(results, out, command, formats):
    said = command("report", "--results", results, "--out", out, *formats, "--json")
    frame = claims(results=str(results))
    pages_and_frames_agree(results, out, frame, markdown_only=bool(formats))
    printed = pd.DataFrame(said.json["rows"])
    assert list(printed) == list(frame)
    for row, shown in zip(frame.to_dict("records"), said.json["rows"], strict=True):
        assert shown == {name: in_json(value) for name, value in row.items()}
    if "sooner" in set(frame["claim"]):
        times = frame[frame["claim"] == "sooner"]
        assert (times["pairs"] == 12).all()
        assert (times["verdict"] != "inconclusive").any()


def in_json(value):
    """Return a frame's value as `--json` prints it."""
    if isinstance(value, str) or not math.isinf(value):
        return None if pd.isna(value) else value
    return str(value)


def test_the_console_prints_the_verdict_on_a_time(kinds, tmp_path, manyseeds):
    said = manyseeds("report", "--results", kinds, "--out", tmp_path / "out", "--format", "csv")
    (line,) = [line for line in said.out.splitlines() if "sooner" in line and " all " in line]
    assert " 12 " in line
    assert "negligible" in line


@pytest.fixture
def without_a_curve_file(tmp_path):
    """Return the results folder of a run that has lost the curves of three seeds of `one_rate`."""
    results = tmp_path / "results"
    text = KINDS.replace("lanes = 6", "lanes = 3")
    ledger = synthetic.write(results, World(text=text, run="lost-1", backends=("jax",)))
    lost = next(
        job for job in ledger.plan.jobs if job.recipe == "one_rate" and job.mode == "cohort"
    )
    (file,) = ledger.folder.glob(f"curves/{lost.id:05d}-*.parquet")
    file.unlink()
    return results


def test_a_lost_curve_file_is_said_on_every_page_and_loses_its_pairs(
    without_a_curve_file, tmp_path
):
    frame = claims(results=without_a_curve_file)
    row = frame[(frame["claim"] == "sooner") & (frame["backend"] == "all")].iloc[0]
    assert (row["promised"], row["pairs"], row["without_value"]) == (12, 9, 3)
    assert (row["never_treatment"], row["never_baseline"]) == (0, 0)
    render_report(results=without_a_curve_file, out=tmp_path / "out")
    for name in ("small.html", "small.md"):
        text = " ".join((tmp_path / "out" / name).read_text(encoding="utf-8").split())
        assert "9 of 12; 3 without a curve" in text
        assert "3 of 12 promised pairs could not be used on any backend: 3 were trained" in text
        assert "The ledger has no curve of 3 trainings that ended" in text
