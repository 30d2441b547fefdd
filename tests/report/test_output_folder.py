"""A report removes and replaces only what reports wrote, and never follows a link out."""

import json

import pytest
import synthetic
from synthetic import SMALL, World

from manyseeds.errors import RunError
from manyseeds.report import render
from manyseeds.report.output_folder import MANIFEST, OutputFolder


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    world = World(text=SMALL, curves=False, backends=("jax",))
    return synthetic.write(tmp_path_factory.mktemp("results"), world)


def tables(ledger, out):
    return render([ledger], out, ["csv", "latex"])


def test_what_lies_in_the_folder_of_a_report_is_not_removed(ledger, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mine = ["appendix.tex", "raw.csv", "photo.png", "drawing.svg"]
    for name in mine:
        (folder / name).write_text(f"my {name}")
    (tmp_path / "chapter.csv").write_text("my chapter")
    for _ in range(2):  # without a manifest, and with one
        assert tables(ledger, tmp_path).notes == ()
        assert [(folder / name).read_text() for name in mine] == [f"my {name}" for name in mine]
        assert (tmp_path / "chapter.csv").read_text() == "my chapter"


def test_a_table_of_an_earlier_report_that_this_one_does_not_have_is_removed(ledger, tmp_path):
    earlier = OutputFolder(tmp_path)
    earlier.write({"small/layers.csv": b"layer\n", "small/old.svg": b"<svg/>", "chapter.csv": b""})
    assert tables(ledger, tmp_path).notes == ()
    assert not (tmp_path / "small" / "layers.csv").exists()
    assert not (tmp_path / "chapter.csv").exists()
    assert (tmp_path / "small" / "old.svg").exists()  # no figures were asked for
    listed = json.loads((tmp_path / MANIFEST).read_text())["files"]
    assert "small/claims.csv" in listed
    assert "small/layers.csv" not in listed


def test_a_stale_file_that_was_changed_stays_and_is_said(ledger, tmp_path):
    OutputFolder(tmp_path).write({"small/layers.csv": b"layer\n"})
    (tmp_path / "small" / "layers.csv").write_text("my layers")
    (note,) = tables(ledger, tmp_path).notes
    assert str(tmp_path / "small" / "layers.csv") in note
    assert (tmp_path / "small" / "layers.csv").read_text() == "my layers"
    assert tables(ledger, tmp_path).notes == ()  # from now on it is somebody else's


def test_a_file_of_the_same_name_is_put_aside_and_said(ledger, tmp_path):
    (tmp_path / "index.csv").write_text("my index")
    (note,) = tables(ledger, tmp_path).notes
    assert "index.csv.kept" in note
    assert (tmp_path / "index.csv.kept").read_text() == "my index"
    (tmp_path / "index.csv").write_text("my second index")
    tables(ledger, tmp_path)
    assert (tmp_path / "index.csv.kept").read_text() == "my index"
    assert (tmp_path / "index.csv.kept-2").read_text() == "my second index"
    assert "my" not in (tmp_path / "index.csv").read_text()


def test_a_report_is_made_again_without_a_word(ledger, tmp_path):
    tables(ledger, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert tables(ledger, tmp_path).notes == ()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_link_that_leads_out_of_the_folder_is_refused_before_anything_is_written(
    ledger, tmp_path
):
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "claims.csv").write_text("theirs")
    (out / "small").symlink_to(outside)
    with pytest.raises(RunError, match="is a link that leads out of"):
        tables(ledger, out)
    assert [path.name for path in outside.iterdir()] == ["claims.csv"]
    assert (outside / "claims.csv").read_text() == "theirs"
    assert [path.name for path in out.iterdir()] == ["small"]


def test_a_link_in_place_of_a_file_is_put_aside_and_not_followed(ledger, tmp_path):
    theirs, out = tmp_path / "theirs.csv", tmp_path / "out"
    theirs.write_text("theirs")
    out.mkdir()
    (out / "index.csv").symlink_to(theirs)
    (note,) = tables(ledger, out).notes
    assert "index.csv.kept" in note
    assert theirs.read_text() == "theirs"
    assert (out / "index.csv.kept").is_symlink()
    assert not (out / "index.csv").is_symlink()


def test_the_folder_itself_may_be_a_link(ledger, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    tables(ledger, tmp_path / "out")
    assert (tmp_path / "real" / "small" / "claims.csv").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": 3}', '{"files": {"../mine.csv": "a", "/mine.csv": 3}}']
)
def test_a_damaged_or_dangerous_manifest_removes_nothing(ledger, tmp_path, text):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "mine.csv").write_text("mine")
    (out / MANIFEST).write_text(text)
    OutputFolder(out).remove(lambda name: True)
    assert (tmp_path / "mine.csv").read_text() == "mine"


def test_figures_that_an_html_page_links_to_outlive_a_report_in_markdown(ledger, tmp_path):
    render([ledger], tmp_path, ["html"])
    svg = {path.name for path in tmp_path.glob("small/*.svg")}
    assert render([ledger], tmp_path, ["md"]).notes == ()
    assert {path.name for path in tmp_path.glob("small/*.svg")} == svg
