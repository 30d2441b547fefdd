"""Compiled programs outlive the process, and change nothing."""

import os

import pytest

from manyseeds.ledger.ledger import Ledger
from manyseeds.ledger.schemas import SECONDS

VOLATILE = [*SECONDS, "peak_memory_bytes", "attempt", "job", "compilations"]


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_second_process_compiles_nothing_anew(command, tiny, tmp_path, backend):
    pytest.importorskip(backend)
    kept, results = tmp_path / "kept", tmp_path / "results"

    def train(*suites):
        arguments = ("--backend", backend, "--recipe", "scratch", "--results", results)
        answer = command("run", *suites, *arguments, MANYSEEDS_COMPILED=str(kept))
        assert answer.status == 0, answer.err
        return {path.name for path in kept.rglob("*") if path.is_file()}

    # Now without another suite's programs before them: their order must not matter.
    other = tiny(("[8, 8]", "[7, 7]"), ('name = "tiny"', 'name = "other"'), name="other.toml")
    first = train(other, tiny())
    assert first
    assert {name for name in train(tiny()) - first if not name.endswith("-atime")} == set()
    _, cold, warm = (
        Ledger.open(path).records() for path in sorted(results.iterdir(), key=os.path.getctime)
    )
    keep = cold.columns.difference(VOLATILE)
    assert cold[keep].equals(warm[keep])
