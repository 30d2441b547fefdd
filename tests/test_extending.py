"""What the README's "Extend it" promises: each addition takes the one place named there.

A copy of the harness gets an initialiser, a data set and a suite, and trains with them. The
backend that trains is itself an addition: `tests/numpy_backend`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manyseeds.ledger import ledgers

ROOT = Path(__file__).parents[1]

INITIALISER = '''
class HeLogistic(_VarianceScaling):
    """Truncated normal, variance 8 / fan_in."""

    source: ClassVar[str] = "this test"
    name: Literal["he_logistic"] = "he_logistic"
    scale, fan, uniform = 8.0, "fan_in", False


Initialiser = Annotated['''

DATASET = '''"""Two clouds of points."""

import numpy as np

from manyseeds.datasets.description import Dataset, RawDataset, RawSplit


def load() -> RawDataset:
    generator = np.random.default_rng(0)
    labels = np.arange(300, dtype=np.int32) % 2
    inputs = generator.normal(size=(300, 3)) + 3.0 * labels[:, None]
    return RawDataset(
        train=RawSplit(inputs[:200], labels[:200]), test=RawSplit(inputs[200:], labels[200:])
    )


CLOUDS = Dataset(
    name="clouds", title="two clouds", source="this test", licence="MIT", had="embedded",
    train=200, test=100, features=3, classes=("left", "right"), scale=9.0, sha256={}, load=load,
)
'''

SUITE = """
name = "mine"
title = "A suite of my own"
description = "One recipe on two clouds."
seeds = 3
lanes = 3

[tasks.clouds]
dataset = "clouds"
valid = 50

[networks.small]
hidden = [4]
initialiser = "he_logistic"
activation = "logistic"
output = { units = 1, activation = "logistic" }

[phases.train]
task = "clouds"
network = "small"
epochs = 30
rate = 0.5

[[recipes]]
name = "plain"
phases = ["train"]
"""


@pytest.fixture
def extended(tmp_path):
    """Return a function that runs the command of an extended copy of the harness."""
    for part in ("manyseeds", "suites"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)  # what makes it a clone

    def change(file, old, new):
        path = tmp_path / "manyseeds" / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    change("initialisers.py", "\nInitialiser = Annotated[", INITIALISER)
    change("initialisers.py", "        | Fixup,\n", "        | Fixup\n        | HeLogistic,\n")
    (tmp_path / "manyseeds" / "datasets" / "clouds.py").write_text(DATASET, encoding="utf-8")
    change(
        "datasets/catalogue.py",
        "from manyseeds.datasets.description",
        "from manyseeds.datasets.clouds import CLOUDS\nfrom manyseeds.datasets.description",
    )
    change("datasets/catalogue.py", "        DIGITS,\n", "        DIGITS,\n        CLOUDS,\n")
    (tmp_path / "suites" / "mine.toml").write_text(SUITE, encoding="utf-8")

    def command(*arguments):
        path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
        run = [sys.executable, "-m", "manyseeds.cli", *arguments, "--json"]
        done = subprocess.run(
            run,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["rows"]

    return command


def test_an_initialiser_a_data_set_and_a_suite_take_the_places_the_readme_names(extended, tmp_path):
    assert "he_logistic" in {row["name"] for row in extended("list", "techniques")}
    assert "clouds" in {row["name"] for row in extended("list", "datasets")}
    assert "mine" in {row["name"] for row in extended("list", "suites")}
    (row,) = extended("run", "mine", "--backend", "numpy")
    assert (row["recipe"], row["promised"], row["ok"]) == ("plain", 3, 3)
    (ledger,) = ledgers(tmp_path / "results")
    accuracy = ledger.records()["test_accuracy"]
    assert accuracy.min() > 0.9  # trained on those clouds, not on something else
