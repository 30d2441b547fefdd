"""Files that options name: folders are made for them, and what cannot be written is said."""

import pytest

from manyseeds import conformance
from manyseeds.errors import RunError
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.report_files import write_report_files


class Report(Outcome):
    """A result with a table, Markdown and JUnit XML."""

    def markdown(self):
        return "# größer\n"

    def junit(self):
        return "<testsuites/>"


REPORT = Report("Parity", ("recipe",), (("elu",),))


def test_the_folders_of_the_files_are_made(tmp_path):
    markdown, junit = tmp_path / "a" / "b" / "p.md", tmp_path / "c" / "p.xml"
    write_report_files(REPORT, markdown=markdown, junit=junit)
    assert markdown.read_text(encoding="utf-8") == "# größer\n"
    assert junit.read_text(encoding="utf-8") == "<testsuites/>"


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"file"):
        write_report_files(REPORT, markdown=tmp_path / "file" / "p.md", junit=None)
    assert (tmp_path / "file").read_text() == "in the way"


def test_parity_writes_its_files_into_a_folder_that_is_not_there_yet(
    manyseeds, tmp_path, monkeypatch
):
    monkeypatch.setattr(conformance, "parity_report", lambda *_, **__: REPORT)
    folder = tmp_path / "not" / "there"
    said = manyseeds("parity", "--markdown", folder / "p.md", "--junit", folder / "p.xml")
    assert (said.status, said.err) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == ["p.md", "p.xml"]
    (tmp_path / "file").write_text("in the way")
    said = manyseeds("parity", "--markdown", tmp_path / "file" / "p.md")
    assert said.status != 0
    assert "Traceback" not in said.err
    assert "file" in said.err
