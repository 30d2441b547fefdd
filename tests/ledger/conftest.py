"""A person without special rights, for the tests of files that may not be read or written."""

import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

NOBODY = 65534


def _import_late_modules():
    """Import what pandas and pyarrow import late, and what `nobody` may not be allowed to read."""
    integers = {pa.int64(): pd.Int64Dtype()}
    pa.table({"a": [1]}).to_pandas(types_mapper=integers.get)


@pytest.fixture
def ordinary(monkeypatch):
    """Return a folder of a user whom permissions bind; the test runs as this user."""
    # Not below `tmp_path`, which nobody else may enter.
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        _import_late_modules()
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield folder
    if is_root:
        os.seteuid(0)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)
