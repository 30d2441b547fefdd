"""Acknowledged differences are accepted, with their reason, until they expire."""

from datetime import date

import pytest

from manyseeds.check.acknowledgements import acknowledge, read_acknowledgements, unused
from manyseeds.check.findings import Finding
from manyseeds.check.rows import Row
from manyseeds.errors import RequestError

TEXT = """
[[acknowledged]]
row = "numerics/tensorflow/nadam*"
reason = "Keras changed its schedule"
expires = 2026-12-31
"""
CHANGED = Finding(
    Row("numerics", "tensorflow", "nadam_keras3"), "changed", fails=True, message="it differs"
)
FINE = Finding(Row("numerics", "tensorflow", "nadam"), "unchanged")


def known(tmp_path, text=TEXT):
    path = tmp_path / "acknowledged.toml"
    path.write_text(text, encoding="utf-8")
    return read_acknowledgements(path)


@pytest.mark.parametrize("subject", ["step [64, 64]", "[a]", "a?b*", "[!x]"])
def test_a_row_acknowledges_itself_whatever_is_in_its_name(tmp_path, subject):
    changed = Finding(Row("time", "jax", subject), "changed", fails=True)
    (known_row,) = known(tmp_path, TEXT.replace("numerics/tensorflow/nadam*", str(changed.row)))
    assert known_row.covers(changed)
    assert unused([changed], [known_row]) == ()


def test_a_file_is_read_from_any_editor(tmp_path):
    path = tmp_path / "acknowledged.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    (known_row,) = read_acknowledgements(path)
    assert known_row.covers(CHANGED)


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "a = " + "1" * 5_000, "a = '\0'"])
def test_a_file_that_python_cannot_read_is_refused(tmp_path, text):
    with pytest.raises(RequestError, match=r"acknowledged\.toml is not TOML: "):
        known(tmp_path, text)


def test_without_a_file_nothing_is_acknowledged(tmp_path):
    assert read_acknowledgements(tmp_path / "acknowledged.toml") == ()


@pytest.mark.parametrize(
    ("today", "accepted"), [(date(2026, 12, 31), True), (date(2027, 1, 1), False)]
)
def test_a_difference_is_accepted_up_to_its_last_day(tmp_path, today, accepted):
    found, fine = acknowledge([CHANGED, FINE], known(tmp_path), today)
    assert (found.acknowledged is not None) == accepted
    assert ("expired on 2026-12-31" in found.message) != accepted
    assert "Keras changed its schedule" in (found.acknowledged or found.message)
    assert fine == FINE


def test_an_acknowledgement_that_is_no_longer_needed_is_reported(tmp_path):
    assert unused([FINE], known(tmp_path)) == ("numerics/tensorflow/nadam*",)
    assert unused([CHANGED, FINE], known(tmp_path)) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[acknowledged]\n", "is not TOML"),
        ('[[acknowledge]]\nrow = "a"\n', r"tables \[\[acknowledged\]\]"),
        ('acknowledged = "all"\n', r"tables \[\[acknowledged\]\]"),
        ('[[acknowledged]]\nrow = "a"\nreason = "b"\n', "expires: field required"),
        (TEXT.replace("2026-12-31", '"soon"'), "expires"),
        (TEXT + 'because = "typo"\n', "because"),
    ],
)
def test_an_error_in_the_file_is_reported_with_its_key(tmp_path, text, said):
    with pytest.raises(RequestError, match=said) as error:
        known(tmp_path, text)
    assert "acknowledged.toml" in str(error.value)
