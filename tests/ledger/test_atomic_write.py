"""Files are written whole or not at all, and lines appended to them."""

import os

import pytest

from manyseeds.ledger import atomic_write
from manyseeds.ledger.atomic_write import append_line, create_atomically, write_atomically


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_atomically(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_lines_are_appended_to_a_new_file_and_to_an_old_one(tmp_path):
    for line in ("first", "zweite Zeile – ä"):
        append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "first\nzweite Zeile – ä\n"


def test_a_line_after_an_interrupted_one_begins_below_it(tmp_path):
    path = tmp_path / "log.jsonl"
    append_line(path, '{"first": 1}')
    with path.open("ab") as file:
        file.write('{"interrupted": "ä'.encode()[:-1])
    append_line(path, '{"next": 2}')
    append_line(path, '{"last": 3}')
    lines = path.read_bytes().split(b"\n")
    assert lines[0] == b'{"first": 1}'
    assert lines[2:] == [b'{"next": 2}', b'{"last": 3}', b""]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_created_once(tmp_path, monkeypatch, links):
    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")  # as on a file system without links

    if not links:
        monkeypatch.setattr(atomic_write.os, "link", refuse)
    path = tmp_path / "a"
    create_atomically(path, b"old")
    with pytest.raises(FileExistsError):
        create_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_a_temporary_file_is_not_written_through(tmp_path):
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (tmp_path / f".a.{os.getpid()}").symlink_to(mine)
    write_atomically(tmp_path / "a", b"new")
    assert mine.read_bytes() == b"mine"
    assert (tmp_path / "a").read_bytes() == b"new"
