"""Compiled programs: where they are kept, and the flags compilers read."""

import os
import sys

import pytest

from manyseeds.backend.compiled_programs import (
    append_flag,
    compiled_folder,
    keep_compiled,
    unknown_flags,
)
from manyseeds.errors import RequestError, RunError


def test_each_framework_release_and_set_of_flags_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_COMPILED", str(tmp_path / "kept"))
    folders = [keep_compiled("jax", "1"), keep_compiled("jax", "2"), keep_compiled("other", "1")]
    folders.append(keep_compiled("jax", "1", "--xla_cpu_enable_fast_math=true"))
    assert len(set(folders)) == len(folders)
    assert all(folder.is_dir() and folder.parent == tmp_path / "kept" for folder in folders)
    assert keep_compiled("jax", "1") == folders[0]


def test_programs_are_kept_in_the_users_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("MANYSEEDS_COMPILED")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert compiled_folder() == tmp_path / "manyseeds" / "compiled"
    assert not compiled_folder().exists()


def test_off_keeps_no_programs(monkeypatch):
    monkeypatch.setenv("MANYSEEDS_COMPILED", "off")
    assert compiled_folder() is None
    assert keep_compiled("jax", "1") is None


def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MANYSEEDS_COMPILED", str(tmp_path / "file"))
    with pytest.raises(RequestError, match=r"file/jax-1.*Set MANYSEEDS_COMPILED .* off"):
        keep_compiled("jax", "1")


def test_a_flag_goes_behind_the_users_own_and_is_there_once(monkeypatch):
    monkeypatch.setenv("SOME_FLAGS", "--mine --ours")
    append_flag("SOME_FLAGS", "--ours")
    append_flag("SOME_FLAGS", "--other")
    assert os.environ["SOME_FLAGS"] == "--mine --ours --other"


COMPILER = """
import os, sys
for flag in os.environ["SOME_FLAGS"].split():
    if flag != "--known":
        sys.exit(f"Unknown flag in SOME_FLAGS: {flag}")
"""


def test_a_compiler_is_asked_which_flags_it_does_not_know():
    assert unknown_flags("SOME_FLAGS", ["--known"], COMPILER) == ()
    assert unknown_flags("SOME_FLAGS", ["--known", "--new"], COMPILER) == ("--new",)


def test_a_compiler_that_fails_for_another_reason_says_why():
    with pytest.raises(RunError, match="out of memory"):
        unknown_flags("SOME_FLAGS", ["--known"], "import sys; sys.exit('out of memory')")
