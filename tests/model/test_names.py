"""Names and texts of a suite: which are accepted, and what is said about the others."""

import pytest

from manyseeds.model.names import check_distinct, name_problem, text_problem


@pytest.mark.parametrize(
    "name", ["a", "he_normal", "5-6", "x" * 64, "Adam", "v1.0", "1cycle", "a..b", "conv", "nulls"]
)
def test_a_name_of_letters_digits_and_three_signs_is_accepted(name):
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "1 to 64 characters, this one 0"),
        ("x" * 65, "1 to 64 characters, this one 65"),
        ("x" * 300, "this one 300"),
        ("a b", "for instance 'a_b'"),
        ("-rf", "begins with a letter or a digit, for instance 'rf'"),
        (".hidden", "for instance 'hidden'"),
        ("a[b]", "for instance 'a_b'"),
        ("a|b", "for instance 'a_b'"),
        ("../x", "for instance 'x'"),
        ("a\\b", "for instance 'a_b'"),
        ("<b>x</b>", "for instance 'b_x_b'"),
        ("größe", "for instance 'groe'"),
        ("a\n", "for instance 'a'"),
        ("a\x00b", "for instance 'a_b'"),
        ("中文", "begins with a letter or a digit"),
        ("٣", "letters from a to z, digits"),
        ("con", "kept by Windows"),
        ("NUL.txt", "kept by Windows"),
        ("lpt1", "kept by Windows"),
        ("a.", "full stop"),
    ],
)
def test_any_other_name_is_refused_with_what_to_write_instead(name, problem):
    assert problem in name_problem(name)


@pytest.mark.parametrize(
    "text", ["", "Größe, 大きさ", "[b] *a* <b> `x` | \\n", "two\n\tlines", "🔬"]
)
def test_a_text_may_have_any_characters_that_can_be_shown(text):
    assert text_problem(text) is None


@pytest.mark.parametrize(
    "control", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x9b", "\u2028", "\u202e"]
)
def test_a_text_with_a_control_character_is_refused(control):
    assert ascii(control) in text_problem(f"a{control}b")


def test_a_text_has_an_end():
    assert text_problem("x" * 10_000) is None
    assert "at most 10,000 characters, this one 10,001" in text_problem("x" * 10_001)


def test_two_things_of_one_name_are_refused_also_if_only_capital_letters_differ():
    check_distinct("claims", [])
    check_distinct("claims", ["a", "b", "ab"])
    with pytest.raises(ValueError, match=r"^two claims are called 'b'$"):
        check_distinct("claims", ["a", "b", "c", "b"])
    with pytest.raises(ValueError, match=r"^two recipes are called 'adam' and 'Adam': capital"):
        check_distinct("recipes", ["adam", "sgd", "Adam"])
