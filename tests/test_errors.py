"""Errors: short messages that show what they quote, nearest names, and advice that fits."""

import errno
import os
from pathlib import Path

import pytest

from manyseeds.errors import (
    LONGEST_MESSAGE,
    RequestError,
    RunError,
    explained,
    file_failure,
    nearest,
    printable,
    quoted,
    shortened,
    unknown,
)


@pytest.mark.parametrize("length", [0, 99, 100, 101, 130, 10_000, 1_234_567])
def test_a_shortened_text_keeps_its_two_ends_and_its_limit(length):
    text = "".join(chr(ord("a") + n % 26) for n in range(length))
    short = shortened(text, 100)
    assert len(short) <= 100
    if length <= 100:
        assert short == text
    else:
        start, end = short.split(" … (")[0], short.rsplit(") …")[-1]
        assert text.startswith(start)
        assert text.endswith(end)
        assert len(start) >= 30
        assert len(end) >= 30


@pytest.mark.parametrize("kind", [RequestError, RunError])
def test_no_message_is_longer_than_the_longest(kind):
    message = str(kind("file.toml: " + "x" * 1_000_000))
    assert len(message) == LONGEST_MESSAGE
    assert message.startswith("file.toml: xxx")


def test_an_unknown_name_of_any_length_among_any_number_makes_a_short_message():
    message = unknown("recipe", "x" * 100_000, (f"recipe_{n}" for n in range(5_000)))
    assert len(message) < 2_000
    assert "recipe_0, recipe_1, " in message
    assert message.endswith(" more.")
    listed = message.split("Known: ")[1].split(" and ")[0].split(", ")
    assert f"and {5_000 - len(listed):,} more." in message


def test_a_known_name_is_listed_once():
    assert unknown("key", "b", ["a", "a"]).endswith("Known: a.")


def test_long_names_are_not_compared():
    assert nearest("a" * 100_000, ["a" * 99_999]) is None
    assert nearest("adm", ["adam", "sgd"]) == "adam"


@pytest.mark.parametrize(("value", "shown"), [("a", "'a'"), (True, "true"), (3, "3")])
def test_short_values_are_quoted_whole(value, shown):
    assert quoted(value) == shown


def test_values_of_any_length_are_quoted_in_80_characters():
    assert quoted(1 << 20_000) == "a number of 20,001 bits"  # Python would refuse to write it out
    assert len(quoted({"a": "x" * 1000})) == 80


def test_control_characters_are_written_out_and_others_stay():
    assert printable("a\x1b[31m\r\u202eb") == "a\\x1b[31m\\r\\u202eb"
    assert printable("[red] größe 大\n\tb") == "[red] größe 大\n\tb"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Make room on its disk."),
        (errno.EDQUOT, "Your quota is used up: remove files of yours on its disk."),
        (errno.EROFS, "Its disk is read-only: choose another --out folder."),
        (errno.EACCES, "Ask its owner for permission, or choose another --out folder."),
        (errno.EPERM, "Ask its owner for permission, or choose another --out folder."),
        (errno.EMFILE, "with: ulimit -n 4096."),
        (errno.ENFILE, "End other programs."),
        (errno.ENAMETOOLONG, "choose another --out folder, with a shorter path."),
        (errno.EIO, "Its disk or network drive does not answer"),
        (errno.ESTALE, "Its disk or network drive does not answer"),
    ],
)
def test_the_advice_fits_the_error_number(number, advice):
    message = file_failure(
        "write", Path("a b"), OSError(number, os.strerror(number)), "choose another --out folder"
    )
    assert message.startswith(f"cannot write a b: {os.strerror(number)}. ")
    assert advice.lower() in message.lower()
    assert ("make room" in message.lower()) == (number == errno.ENOSPC)


def test_an_error_that_nobody_foresaw_has_no_advice():
    number = errno.ECHILD
    message = file_failure("write", Path("a"), OSError(number, os.strerror(number)))
    assert message == f"cannot write a: {os.strerror(number)}."
    assert file_failure("read", Path("a"), OSError("broken")) == "cannot read a: broken."


def test_a_library_s_long_words_are_replaced_by_the_system_s():
    error = OSError(errno.EMFILE, "Failed to open local file 'a'. Detail: [errno 24] Too many")
    assert file_failure("read", Path("a"), error).startswith("cannot read a: Too many open files. ")


def test_a_failed_file_operation_becomes_a_run_error(tmp_path):
    wrong = pytest.raises(RunError, match=r"cannot read .*: Is a directory")
    with wrong as refused, explained("read", tmp_path):
        tmp_path.read_bytes()
    assert isinstance(refused.value.__cause__, IsADirectoryError)


@pytest.mark.parametrize("name", ["SGD", " sgd ", "sgd\u200b", "s\x00gd", "\uff53gd"])
def test_capitals_blanks_and_letters_that_nobody_sees_do_not_hide_the_nearest_name(name):
    assert nearest(name, ["adam", "sgd"]) == "sgd"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("e\u0301lan", "\xe9lan"),  # two ways to write é
        ("s\u0261d", "sgd"),  # a letter of the phonetic alphabet
        ("\u0430dam", "adam"),  # a Cyrillic letter
        ("adam\u200b", "adam"),
        ("adam ", "adam"),
    ],
)
def test_an_unknown_name_never_looks_like_the_one_that_is_suggested(name, known):
    message = unknown("optimizer", name, [known])
    wrong, right = message.removeprefix("unknown optimizer ").split(". Did you mean ")
    assert ascii(wrong) != ascii(right.split("?")[0])
    assert ascii(name) in wrong
    assert ascii(known) in right


def test_a_name_is_never_suggested_for_itself():
    assert nearest("x", ["x"]) is None
    assert nearest("adam", ["adam", "adamax"]) == "adamax"
