"""The Python interface: what `import manyseeds` offers."""

from pathlib import Path

import manyseeds


def test_no_public_name_is_also_a_module():
    folder = Path(manyseeds.__file__).parent
    modules = {path.stem for path in folder.iterdir()}
    assert modules.isdisjoint(manyseeds.__all__)


def test_every_public_name_is_a_function_also_after_its_module_was_imported():
    for name in manyseeds.__all__:
        assert callable(getattr(manyseeds, name))
    assert len(manyseeds.list_suites()) >= 14
    for name in manyseeds.__all__:
        assert callable(getattr(manyseeds, name))
