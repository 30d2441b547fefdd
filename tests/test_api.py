"""The Python interface: what `import manyseeds` offers."""

import inspect
import os
import pkgutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

import manyseeds
from manyseeds.api import TrainingOptions
from manyseeds.errors import RequestError
from manyseeds.execution.request import Options
from manyseeds.ledger.ledger import Ledger

FOLDER = Path(manyseeds.__file__).parent


def test_no_public_name_is_also_a_module():
    modules = {module.name for module in pkgutil.iter_modules([str(FOLDER)])}
    assert {"datasets", "statistics", "report"} <= modules
    assert modules.isdisjoint(manyseeds.__all__)


def test_every_public_name_is_a_function_also_after_its_module_was_imported():
    for name in manyseeds.__all__:
        assert callable(getattr(manyseeds, name))
    assert len(manyseeds.list_suites()) >= 14
    for name in manyseeds.__all__:
        assert callable(getattr(manyseeds, name))
    assert set(manyseeds.__all__) <= set(dir(manyseeds))


def test_every_module_can_be_imported_before_any_function_is_used():
    modules = [m.name for m in pkgutil.iter_modules([str(FOLDER)]) if m.name != "__main__"]
    script = (
        "import importlib, manyseeds\n"
        f"for name in {modules}: importlib.import_module('manyseeds.' + name)\n"
        "assert all(callable(getattr(manyseeds, name)) for name in manyseeds.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_keywords_of_run_are_the_options_of_a_training():
    assert list(TrainingOptions.__annotations__) == [field.name for field in fields(Options)]


def test_every_folder_of_the_interface_may_be_a_text():
    for name in manyseeds.__all__:
        for parameter in inspect.signature(getattr(manyseeds, name)).parameters.values():
            if parameter.name in ("results", "out", "parity"):
                assert "PathText" in str(parameter.annotation), name


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train the tiny suite with solo rows and a variance study; return its results folder."""
    folder = tmp_path_factory.mktemp("api")
    text = (Path(__file__).with_name("tiny.toml")).read_text(encoding="utf-8")
    text = text.replace("lanes = 2\n", "lanes = 2\nsolo = 1\n", 1)
    text += '\n[variance]\nrecipes = ["scratch"]\nstreams = ["init"]\nseeds = 2\n'
    (folder / "tiny.toml").write_text(text, encoding="utf-8")
    rows = manyseeds.run(
        str(folder / "tiny.toml"), results=str(folder / "results"), backends="numpy", seeds=5
    )
    return folder, rows


def test_run_takes_its_options_as_keywords(trained):
    folder, rows = trained
    (ledger,) = [Ledger.open(path.parent) for path in (folder / "results").glob("*/plan.json")]
    ordinary = rows[rows["kind"] == "ordinary"]
    assert set(ordinary["seed"]) == set(range(5))
    assert set(rows["backend"]) == {"numpy"}
    assert set(rows["run"]) == {ledger.folder.name}
    assert (rows["status"] == "ok").all()


def test_an_unknown_option_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(TypeError, match=r"run\(\): unknown option 'seed'. Did you mean 'seeds'"):
        manyseeds.run("transfer", seed=3, results=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_records_and_curves_are_of_one_kind_unless_all_are_asked_for(trained):
    folder, rows = trained
    results = str(folder / "results")
    everything = manyseeds.records("tiny", kind=None, results=results)
    pd.testing.assert_frame_equal(everything, rows)
    assert set(everything["kind"]) == {"ordinary", "solo", "variance"}
    ordinary = manyseeds.records("tiny", results=results)
    assert set(ordinary["mode"]) == {"cohort"}
    assert ordinary["vary"].nunique() == 1
    assert not ordinary.duplicated(["recipe", "case", "backend", "seed"]).any()
    assert set(manyseeds.records(kind="solo", results=results)["mode"]) == {"solo"}
    variance = manyseeds.records(kind="variance", results=results)
    assert (set(variance["vary"]), len(variance)) == ({"init"}, 2)
    parts = (len(ordinary), len(manyseeds.records(kind="solo", results=results)), len(variance))
    assert sum(parts) == len(everything)
    assert set(manyseeds.curves(kind="variance", results=results)["vary"]) == {"init"}


def test_an_unknown_kind_of_rows_is_refused(trained):
    folder, _ = trained
    with pytest.raises(RequestError, match="Did you mean 'solo'"):
        manyseeds.records(kind="sole", results=folder / "results")


def test_a_run_without_rows_of_the_kind_says_which_it_has(tmp_path, tiny):
    results = tmp_path / "results"
    manyseeds.run(tiny(), results=results, backends=["numpy"], vary="init", recipes="scratch")
    with pytest.raises(RequestError, match="no rows of the kind 'ordinary', only variance"):
        manyseeds.records(results=results)
    assert len(manyseeds.records(results=results, kind=None)) == 3


def test_the_tables_and_the_report_take_texts_for_paths(trained, tmp_path):
    folder, _ = trained
    results, out = str(folder / "results"), str(tmp_path / "reports")
    assert not manyseeds.summary("tiny", results=results).empty
    assert not manyseeds.variance("tiny", results=results).empty
    assert list(manyseeds.claims("tiny", results=results))[:3] == ["suite", "form", "claim"]
    pages = manyseeds.render_report("tiny", results=results, out=out, formats="md")
    assert {page.name for page in pages} == {"index.md", "techniques.md", "tiny.md"}
    assert all(page.parent == Path(out) for page in pages)


def test_a_report_warns_of_a_file_that_was_in_its_way(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "index.csv").write_text("mine")
    with pytest.warns(UserWarning, match="index.csv.kept"):
        manyseeds.render_report(results=folder / "results", out=tmp_path, formats=["csv"])
    assert os.listdir(tmp_path).count("index.csv.kept") == 1
