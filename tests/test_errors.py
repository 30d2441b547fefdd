"""Messages of errors stay short, whatever they are about, and show what they quote."""

import pytest

from manyseeds.errors import (
    LONGEST_MESSAGE,
    RequestError,
    RunError,
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
