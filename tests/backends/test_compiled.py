"""Compiled programs outlive the process, and change nothing."""

import pytest

from manyseeds.ledger import SECONDS, Ledger

VOLATILE = [*SECONDS, "peak_memory_bytes", "attempt"]


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_second_process_compiles_nothing_anew(command, tiny, tmp_path, backend):
    pytest.importorskip(backend)
    kept, results = tmp_path / "kept", tmp_path / "results"

    def train():
        arguments = (tiny(), "--backend", backend, "--recipe", "scratch", "--results", results)
        answer = command("run", *arguments, MANYSEEDS_COMPILED=str(kept))
        assert answer.status == 0, answer.err
        return {path.name for path in kept.rglob("*") if path.is_file()}

    first = train()
    assert first
    assert {name for name in train() - first if not name.endswith("-atime")} == set()
    cold, warm = (Ledger.open(path).records() for path in sorted(results.iterdir()))
    keep = cold.columns.difference(VOLATILE)
    assert cold[keep].equals(warm[keep])
