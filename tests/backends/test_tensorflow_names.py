"""Functions are numbered after their program, not after what was traced before them."""

import pytest

pytest.importorskip("tensorflow")

from tensorflow.python.framework import ops

from manyseeds_tensorflow import names


@pytest.fixture(autouse=True)
def nothing_traced(monkeypatch):
    monkeypatch.setattr(names, "_TRACED", names.Counter())


def numbers(program, count=3):
    with names.named_after(program):
        return [ops.uid() for _ in range(count)]


def test_a_program_has_its_numbers_whatever_was_traced_before(monkeypatch):
    alone = numbers(("structure", "train"))
    monkeypatch.setattr(names, "_TRACED", names.Counter())
    numbers(("structure", "score"))
    assert numbers(("structure", "train")) == alone


def test_no_two_traces_of_a_process_share_a_number():
    found = [*numbers("a"), *numbers("b"), *numbers("a")]
    assert len(set(found)) == len(found)


def test_what_is_traced_outside_is_numbered_by_tensorflow_again():
    before = ops.uid()
    with pytest.raises(RuntimeError), names.named_after("a"):
        raise RuntimeError
    assert ops.uid() > before
    assert ops.uid() < min(numbers("a"))
