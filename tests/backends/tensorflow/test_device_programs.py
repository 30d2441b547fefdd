"""Compiled programs that were cut short are removed, and whole ones are kept."""

import pytest

pytest.importorskip("tensorflow")

from manyseeds_tensorflow.device_programs import is_whole, remove_damaged

# Fields 1 (four bytes of text), 2 (the number 300), 3 (300 bytes), 4 and 5 (eight and four bytes).
WHOLE = (
    b"\x0a\x04text" + b"\x10\xac\x02" + b"\x1a\xac\x02" + bytes(300)
    + b"\x21" + bytes(8) + b"\x2d" + bytes(4)
)  # fmt: skip


def test_a_whole_message_is_kept(tmp_path):
    path = tmp_path / "a.pb"
    path.write_bytes(WHOLE)
    assert is_whole(path)
    remove_damaged(tmp_path)
    assert path.read_bytes() == WHOLE


def test_a_message_cut_anywhere_within_a_field_is_damaged(tmp_path):
    path = tmp_path / "a.pb"
    ends = {6, 9, 312, 321, 326}  # of the fields: what is left is a message, too
    whole = set()
    for length in range(len(WHOLE) + 1):
        path.write_bytes(WHOLE[:length])
        if is_whole(path):
            whole.add(length)
    assert whole == ends


@pytest.mark.parametrize("content", [b"", bytes(50), b"\xff" * 50, b"\x0b\x00"])
def test_what_is_no_message_is_removed_and_other_files_are_left(tmp_path, content):
    (tmp_path / "a.pb").write_bytes(content)
    (tmp_path / "b.pb.tmp").write_bytes(content)
    remove_damaged(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.pb.tmp"]
