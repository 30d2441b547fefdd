"""Files are written whole or not at all, and lines appended to them."""

import pytest

from manyseeds.ledger import atomic_write
from manyseeds.ledger.atomic_write import append_line, write_atomically


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
