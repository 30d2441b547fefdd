"""The lines that a run prints where there is no terminal."""

import io

import pytest
from rich.console import Console

from manyseeds.presentation.run_display import TerminalDisplay
from tests.report import synthetic
from tests.report.synthetic import SMALL, World

OPENED = {"device_name": "a CPU", "threads": 2, "versions": {"jax": "0.12"}}


@pytest.fixture
def said(tmp_path):
    """Return a function that opens a backend in a run and returns what was printed."""

    def open_with(**environment):
        stream = io.StringIO()
        ledger = synthetic.write(tmp_path, World(text=SMALL, curves=False))
        with TerminalDisplay(Console(file=stream, width=400)).run(ledger, frozenset()) as display:
            display.opened("jax", OPENED | environment)
        return stream.getvalue()

    return open_with


def test_an_opened_backend_is_named_with_its_versions(said):
    text = said(flags_left_out=[])
    assert "jax: a CPU, 2 threads (jax 0.12)" in text
    assert "compiler" not in text


def test_a_flag_that_was_left_out_is_said(said):
    assert "jax: its compiler does not know --xla_one_thread=true, which was left out" in said(
        flags_left_out=["--xla_one_thread=true"]
    )
