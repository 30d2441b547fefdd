"""The digest of the code: it changes with every source file, and with nothing else."""

import importlib
import sys

from manyseeds.execution.code_digest import NUMERICS, code_digest


def test_it_changes_with_every_source_file_and_with_nothing_else(tmp_path, monkeypatch):
    package = tmp_path / "numbers_for_a_test"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__.py", "sums.py", "inner/__init__.py"):
        (package / name).write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()

    def digest():
        sys.modules.pop(package.name, None)
        return code_digest([package.name])

    first = digest()
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "sums.pyc").write_bytes(b"compiled")
    (package / "notes.txt").write_text("nothing to run")
    assert digest() == first
    seen = {first}
    for change in (
        lambda: (package / "sums.py").write_text("value = 2\n"),
        lambda: (package / "inner" / "__init__.py").write_text("value = 3\n"),
        lambda: (package / "sums.py").rename(package / "differences.py"),
        lambda: (package / "inner" / "more.py").write_text(""),
    ):
        change()
        seen.add(digest())
    assert len(seen) == 5


def test_the_packages_that_make_numbers_are_there():
    digests = {code_digest([name]) for name in NUMERICS}
    assert len(digests) == len(NUMERICS)
    assert code_digest([]) not in digests
