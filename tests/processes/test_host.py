"""The machine below: where compiled programs are kept, and how much memory was taken."""

import sys

import numpy as np
import pytest

from manyseeds.errors import RequestError
from manyseeds.processes.host import (
    compiled_folder,
    forget_peak_memory,
    keep_compiled,
    mapped_files,
    peak_memory,
)


def test_programs_of_another_framework_release_or_flags_have_a_folder_of_their_own(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("MANYSEEDS_COMPILED", str(tmp_path / "kept"))
    monkeypatch.setenv("XLA_FLAGS", "")
    folders = [keep_compiled("jax", "1"), keep_compiled("jax", "2"), keep_compiled("other", "1")]
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    folders.append(keep_compiled("jax", "1"))
    assert len(set(folders)) == len(folders)
    assert all(folder.is_dir() and folder.parent == tmp_path / "kept" for folder in folders)
    assert keep_compiled("jax", "1") == folders[-1]


def test_they_are_in_the_user_s_cache_unless_said(tmp_path, monkeypatch):
    monkeypatch.delenv("MANYSEEDS_COMPILED")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert compiled_folder() == tmp_path / "manyseeds" / "compiled"
    assert not compiled_folder().exists()


def test_off_keeps_none(monkeypatch):
    monkeypatch.setenv("MANYSEEDS_COMPILED", "off")
    assert compiled_folder() is None
    assert keep_compiled("jax", "1") is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MANYSEEDS_COMPILED", str(tmp_path / "file"))
    with pytest.raises(RequestError, match=r"file/jax-1.*Set MANYSEEDS_COMPILED .* off"):
        keep_compiled("jax", "1")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone forgets a peak")
def test_a_peak_counts_until_it_is_forgotten():
    forget_peak_memory()
    before = peak_memory()
    taken = bytearray(200 * 2**20)
    del taken
    assert peak_memory() - before > 150 * 2**20
    forget_peak_memory()
    assert peak_memory() - before < 50 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells it in /proc")
def test_mapped_files_are_told_apart_from_own_memory(tmp_path):
    """A file of 32 MiB that is mapped and read counts; as much memory of one's own does not."""
    file = tmp_path / "mapped"
    file.write_bytes(bytes(32 << 20))
    before = mapped_files()
    own = np.ones(4 << 20)
    assert abs(mapped_files() - before) < 8 << 20
    mapped = np.memmap(file, np.uint8, "r")
    assert mapped.sum() == 0
    assert mapped_files() - before > 24 << 20
    assert own.sum() == 4 << 20
