"""The pages over all suites: the index, the techniques, the protocol; formats, and LaTeX."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import synthetic
from synthetic import SMALL, World

from manyseeds.errors import RequestError
from manyseeds.report import read_parity, render
from manyseeds.report.content.protocol import protocol, quick_changes, seeds
from manyseeds.report.content.wall_time import computing_seconds
from manyseeds.report.pages.latex import _table as latex_table
from manyseeds.report.pages.techniques_page import techniques_page, uses
from manyseeds.report.parity_report import ParityMatrix
from manyseeds.report.reported_suites import reported_suites
from manyseeds.statistics import summary_table
from manyseeds.suite.reader import parse_suite

PARITY = {
    "steps": 60,
    "tolerance": 1e-9,
    "backends": ["jax"],
    "cells": [
        {
            "kind": "activation",
            "technique": "relu",
            "backend": "jax",
            "state": "exact",
            "recipes": 3,
            "reason": "",
            "errors": {"loss": 2e-13, "gradient": 4e-12},
        },
        {
            "kind": "activation",
            "technique": "elu",
            "backend": "jax",
            "state": "unsupported",
            "recipes": 0,
            "reason": "no elu here",
            "errors": {},
        },
    ],
}


def test_the_index_links_every_claim_to_its_section(several):
    text = (several / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([a-z-]+\.html)#(claim-\d+)"', text)
    assert links == [("other-quick.html", "claim-1"), ("small.html", "claim-1")]
    for page, anchor in links:
        assert f'id="{anchor}"' in (several / page).read_text(encoding="utf-8")


def test_the_index_names_incomplete_protocols_and_their_differences(several):
    for name in ("index.html", "index.md"):
        text = (several / name).read_text(encoding="utf-8")
        assert "1 of 2</strong>" in text or "**1 of 2**" in text
        assert "seeds: 12 → 6" in text
        assert "quick form" in text
        assert "full protocol" in text


def test_the_index_table_has_a_row_a_claim_with_verdicts_by_backend(several):
    table = pd.read_csv(several / "index.csv").set_index("suite")
    assert table.index.tolist() == ["other", "small"]
    assert table.loc["small", "verdict_pytorch"] == "holds"
    assert pd.isna(table.loc["other", "verdict_pytorch"])
    assert table.loc["other", "verdict"] == "negligible"
    assert table["form"].tolist() == ["quick form", "full protocol"]
    assert table["unit"].tolist() == ["points", "points"]
    page = (several / "small.md").read_text(encoding="utf-8")
    assert f"+{table.loc['small', 'improvement']:.2f} points" in page
    assert f"{table.loc['small', 'low']:.2f} to {table.loc['small', 'high']:.2f}" in page


def test_seconds_count_every_job_once(tmp_path):
    ledger = synthetic.write(tmp_path, World(text=SMALL, curves=False, backends=("jax",)))
    records = ledger.records()
    jobs = records.groupby("job").first()
    expected = jobs[["seconds_train", "seconds_evaluate", "seconds_compile"]].to_numpy().sum()
    assert len(jobs) < len(records)
    assert computing_seconds(records) == pytest.approx(expected)
    assert pd.isna(computing_seconds(records.assign(seconds_train=None)))


def test_seeds_and_recipes_that_were_left_out_are_no_full_protocol(tmp_path):
    world = World(text=SMALL.replace("seeds = 12", "seeds = 6"), curves=False, backends=("jax",))
    ledger = synthetic.write(tmp_path, world)
    (reported,) = reported_suites([ledger])
    assert protocol(reported).form == "full protocol"
    asked = replace(reported, suite=parse_suite(SMALL, "made_up.toml"))
    assert seeds(asked) == 6
    assert protocol(asked).form == "part of the full protocol"
    assert protocol(asked).differences == ("seeds: 12 in the suite, 6 promised",)
    fewer = replace(reported, records=reported.records.query("recipe == 'scratch'"))
    assert protocol(fewer).differences == ("recipes left out: one_rate",)


def test_quick_forms_tell_before_and_after_key_by_key():
    text = """
    seeds = 100
    [tasks.a]
    dataset = "fashion-mnist"
    [[claims]]
    name = "b"
    target = 0.8
    [quick]
    seeds = 5
    [quick.tasks.a]
    dataset = "fashion-mnist-12k"
    train = 640
    [quick.claims.b]
    target = 0.6
    """
    assert quick_changes(text) == [
        "seeds: 100 → 5",
        "tasks.a.dataset: fashion-mnist → fashion-mnist-12k",
        "tasks.a.train added: 640",
        "claims.b.target: 0.8 → 0.6",
    ]
    assert quick_changes("not = = toml") == []


def test_a_technique_is_shown_by_the_recipe_that_differs_least(tmp_path):
    text = SMALL.replace(
        'phases = [{ use = "p", rate = 2e-3 }]',
        'phases = [{ use = "p", rate = 2e-3, optimizer = { name = "nadam" } }]',
    )

    def change(key):
        return {"seconds_train": 30.0 if key.recipe == "one_rate" else 20.0, "seconds_evaluate": 0,
                "seconds_shared": 0}  # fmt: skip

    world = World(text=text, curves=False, backends=("jax",), change=change)
    ledger = synthetic.write(tmp_path, world)
    (reported,) = reported_suites([ledger])
    found = uses(summary_table(reported.records, reported.suite), reported.suite)
    told = {(use.kind, use.technique): use for use in found}
    nadam = told["optimizer", "nadam"]
    assert (nadam.recipe, nadam.baseline, nadam.others) == ("one_rate", "scratch", 0)
    assert nadam.relative_seconds == pytest.approx(1.5)
    assert told["activation", "relu"].baseline == ""
    page = techniques_page(found, ParityMatrix.model_validate(PARITY), ["jax"], None)
    rows = {(row.kind, row.technique): row for row in page.rows}
    assert rows["optimizer", "nadam"].cells[0].speed == "×1.50"
    assert rows["optimizer", "nadam"].place == "small: one_rate against scratch"
    assert rows["optimizer", "nadam"].cells[0].parity == "not run"
    assert rows["activation", "relu"].cells[0].parity == "exact 4e-12"
    assert rows["activation", "relu"].cells[0].speed == "nothing to compare"
    assert rows["activation", "elu"].cells[0].parity == "unsupported: no elu here"
    assert rows["activation", "elu"].cells[0].speed == "not in these suites"


def test_a_parity_file_is_read_and_a_wrong_one_says_how_to_make_it(tmp_path):
    path = tmp_path / "parity.json"
    path.write_text(json.dumps(PARITY), encoding="utf-8")
    assert read_parity(path).cell("activation", "relu", "jax").text() == "exact 4e-12"
    path.write_text('{"cells": 3}', encoding="utf-8")
    with pytest.raises(RequestError, match="manyseeds parity --json"):
        read_parity(path)
    with pytest.raises(RequestError, match="No such file"):
        read_parity(tmp_path / "absent.json")


def test_only_the_formats_asked_for_are_written_and_the_others_are_left_alone(small, tmp_path):
    render([small[1]], tmp_path, ["csv", "latex"])
    suffixes = {path.suffix for path in tmp_path.rglob("*.*")}
    assert suffixes == {".csv", ".tex", ".json"}  # the last is the manifest
    render([small[1]], tmp_path, ["csv"])
    assert (tmp_path / "small" / "claims.tex").exists()


def test_the_command_writes_the_formats_and_takes_the_parity_file(small, tmp_path):
    parity = tmp_path / "parity.json"
    parity.write_text(json.dumps(PARITY), encoding="utf-8")
    command = [sys.executable, "-m", "manyseeds.cli.main", "report", str(small[1].folder)]
    command += ["--out", str(tmp_path / "out"), "--format", "md", "--parity", str(parity), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"][-1]["verdict"] == "holds"
    assert {path.suffix for path in (tmp_path / "out").rglob("*.*")} == {".md", ".svg", ".json"}
    assert "exact 4e-12" in (tmp_path / "out" / "techniques.md").read_text(encoding="utf-8")


def test_latex_tables_are_ruled_and_hold_the_numbers_of_the_page(several):
    claims = (several / "small" / "claims.tex").read_text(encoding="utf-8")
    summary = (several / "small" / "summary.tex").read_text(encoding="utf-8")
    for text in (claims, summary):
        assert text.startswith(r"\begin{longtable}")
        assert r"\toprule" in text
        assert r"\bottomrule" in text
        assert not re.search(r"(?<!\\)[_%]", text)
    page = (several / "small.md").read_text(encoding="utf-8")
    (gain,) = re.findall(r"\| PyTorch +\| holds +\| +(\S+) \|", page)
    assert f"PyTorch & holds & {gain} &" in claims


def test_latex_commands_in_names_are_escaped():
    text = latex_table(r"a_b \input{x}", ("x%",), [(r"\immediate\write18{ls} & $1$ −2 ∞",)], "l")
    assert r"\textbackslash immediate\textbackslash write18\{ls\} \& \$1\$ $-$2 $\infty$" in text
    assert r"\caption{a\_b \textbackslash input\{x\}}" in text
    assert r"x\%" in text
