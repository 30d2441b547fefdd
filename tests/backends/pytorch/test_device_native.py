"""PyTorch's compiled loops: compiled when the backend opens, and kept where the user says."""

import subprocess
import sys

import numpy as np
import pytest

from manyseeds.randomness import noise as reference

pytest.importorskip("torch")
numba = pytest.importorskip("numba")

from manyseeds_pytorch.device_native import compile_loops  # noqa: E402
from tests.backends.pytorch.layer_toy import KEYS  # noqa: E402

IMPORT_EVERYTHING = """
import importlib, os, pkgutil, sys
import numba, torch, manyseeds_pytorch
before = numba.config.CACHE_DIR, torch.get_num_threads(), dict(os.environ)
for module in pkgutil.iter_modules(manyseeds_pytorch.__path__):
    importlib.import_module(f"manyseeds_pytorch.{module.name}")
after = numba.config.CACHE_DIR, torch.get_num_threads(), dict(os.environ)
sys.exit(before != after)
"""


def test_importing_the_wing_changes_no_setting(tmp_path):
    command = [sys.executable, "-c", IMPORT_EVERYTHING]
    environment = {"MANYSEEDS_COMPILED": str(tmp_path / "compiled")}
    assert subprocess.run(command, check=False, env=environment).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_loops_are_kept_in_the_folder_and_loaded_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    mask = np.empty((2, 8), np.bool_)
    threshold = reference.threshold(0.4)
    files = []
    for row in mask:
        loops = compile_loops(tmp_path).noise
        loops.keep_halves(KEYS[0], 7, threshold, out=row)
        files.append({path for path in tmp_path.rglob("*") if path.is_file()})
    assert files[0]
    assert files[0] == files[1]
    expected = reference.halves(KEYS[:1], 7, 8) >= threshold
    np.testing.assert_array_equal(mask, np.repeat(expected, 2, axis=0))


def test_nothing_is_kept_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    compile_loops(None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "cut", "zeros"])
def test_damaged_machine_code_is_made_anew(tmp_path, monkeypatch, capsys, suffix, damage):
    """As after a power cut or on a full disk."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    compile_loops(tmp_path)
    assert capsys.readouterr().err == ""
    for path in tmp_path.rglob(f"*{suffix}"):
        content = path.read_bytes()
        harm = {"empty": b"", "cut": content[: len(content) // 2], "zeros": bytes(len(content))}
        path.write_bytes(harm[damage])
    threshold = reference.threshold(0.4)
    expected = reference.halves(KEYS[:1], 7, 8) >= threshold
    for time in ("anew", "kept"):
        mask = np.empty(8, np.bool_)
        compile_loops(tmp_path).noise.keep_halves(KEYS[0], 7, threshold, out=mask)
        np.testing.assert_array_equal(mask, expected[0])
        assert ("is made anew" in capsys.readouterr().err) == (time == "anew")


def test_a_folder_that_takes_no_file_costs_only_time(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    threshold, mask = reference.threshold(0.4), np.empty(8, np.bool_)
    compile_loops(tmp_path).noise.keep_halves(KEYS[0], 7, threshold, out=mask)
    np.testing.assert_array_equal(mask, (reference.halves(KEYS[:1], 7, 8) >= threshold)[0])
