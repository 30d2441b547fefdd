"""Reading TOML: byte order marks and line ends do not matter, and nothing makes it fail oddly."""

import pytest

from manyseeds.model.limits import MOST_BYTES
from manyseeds.model.toml_text import NotTomlError, parse_toml, read_text


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_text_is_the_same_with_any_editors_mark_and_line_ends(tmp_path, start, end):
    path = tmp_path / "a.toml"
    path.write_bytes(start + end.join([b"a = 1", b'b = "\xc3\xb6"', b""]))
    assert read_text(path) == 'a = 1\nb = "ö"\n'
    assert parse_toml(read_text(path)) == {"a": 1, "b": "ö"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        ("a = " + "{b=" * 5_000 + "1" + "}" * 5_000, "nested too deeply"),
        ("a = " + "1" * 5_000, "a number is too long"),
        ("a = 'x\0'", "character"),
        ("a = 2026-02-31", "Invalid date"),
        ("a = 1\na = 2", "Cannot overwrite"),
    ],
)
def test_any_text_that_is_no_toml_is_refused_in_one_way(text, problem):
    with pytest.raises(NotTomlError, match=problem):
        parse_toml(text)


def test_a_file_that_is_too_large_is_not_read_into_memory(tmp_path):
    path = tmp_path / "large.toml"
    path.write_text("#" * MOST_BYTES, encoding="utf-8")
    assert len(read_text(path)) == MOST_BYTES
    path.write_text("#" * (MOST_BYTES + 1), encoding="utf-8")
    with pytest.raises(ValueError, match="larger than 1,000,000 bytes"):
        read_text(path)
