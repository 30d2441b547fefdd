"""The examples in docstrings give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import manyseeds

ROOT = Path(manyseeds.__file__).parents[1]
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "manyseeds").rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


def test_there_are_examples():
    assert len(WITH_EXAMPLES) > 15


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_true(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
