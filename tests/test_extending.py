"""What the README's "Extend it" promises: each addition takes the one place named there.

A copy of the project gets an initialiser, an activation, a data set and a suite, and trains with
them. The backend that trains is itself an addition: `tests/numpy_backend`, which the parity kit
certifies (`tests/backend/test_numpy_*.py`).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manyseeds.ledger.runs import ledgers

ROOT = Path(__file__).parents[1]

INITIALISER = '''
class HeLogistic(_VarianceScaling):
    """Truncated normal, variance 8 / fan_in."""

    source: ClassVar[str] = "this test"
    name: Literal["he_logistic"] = "he_logistic"
    scale, fan, uniform = 8.0, "fan_in", False


Initialiser = Annotated['''

ACTIVATION = '''
class Softsign(_Activation):
    """z / (1 + |z|)."""

    source: ClassVar[str] = "this test"
    name: Literal["softsign"] = "softsign"


Activation = Annotated['''

IN_NUMPY = (
    ("return np.logaddexp(0, z)", "return z / (1 + np.abs(z))"),
    ('case "softplus":\n            return logistic(z)', "return 1 / (1 + np.abs(z)) ** 2"),
)

PARITY = """
[networks.softsign]
hidden = [32, 16]
activation = "softsign"
output = { units = 10, activation = "softmax" }

[[recipes]]
name = "softsign"
phases = [{ use = "train", network = "softsign" }]
"""

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
    name="clouds", title="two clouds", source="this test", licence="MIT", how_to_obtain="embedded",
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


class Copy:
    """A copy of the project, to be extended."""

    def __init__(self, folder):
        self.folder = folder
        for part in ("manyseeds", "suites", "backends", "tests/numpy_backend"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)  # what makes it a clone

    def add(self, file, text):
        path = self.folder / file
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(before + text, encoding="utf-8")

    def change(self, file, old, new):
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def command(self, *arguments):
        parts = (self.folder, self.folder / "backends", self.folder / "tests" / "numpy_backend")
        path = os.pathsep.join([*map(str, parts), os.environ["PYTHONPATH"]])
        return subprocess.run(
            [sys.executable, "-m", "manyseeds.cli.main", *arguments, "--json"],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self, *arguments):
        done = self.command(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["rows"]


@pytest.fixture
def project(tmp_path):
    return Copy(tmp_path)


def test_an_initialiser_a_data_set_and_a_suite_take_the_places_the_readme_names(project):
    catalogue = "manyseeds/datasets/catalogue.py"
    described = "from manyseeds.datasets.description"
    project.change(
        "manyseeds/techniques/initialisers.py", "\nInitialiser = Annotated[", INITIALISER
    )
    project.change(
        "manyseeds/techniques/initialisers.py",
        "        | Fixup,\n",
        "        | Fixup\n        | HeLogistic,\n",
    )
    project.add("manyseeds/datasets/clouds.py", DATASET)
    project.change(
        catalogue, described, f"from manyseeds.datasets.clouds import CLOUDS\n{described}"
    )
    project.change(catalogue, "        DIGITS,\n", "        DIGITS,\n        CLOUDS,\n")
    project.add("suites/mine.toml", SUITE)
    assert "he_logistic" in {row["name"] for row in project.rows("list", "techniques")}
    assert "clouds" in {row["name"] for row in project.rows("list", "datasets")}
    assert "mine" in {row["name"] for row in project.rows("list", "suites")}
    (row,) = project.rows("run", "mine", "--backend", "numpy")
    assert (row["recipe"], row["promised"], row["ok"]) == ("plain", 3, 3)
    (ledger,) = ledgers(project.folder / "results")
    accuracy = ledger.records()["test_accuracy"]
    assert accuracy.min() > 0.9  # trained on those clouds, not on something else


def test_an_activation_takes_its_lines_in_each_backend_and_the_kit_proves_them_the_same(project):
    pytest.importorskip("torch")
    in_pytorch = "backends/manyseeds_pytorch/activations.py"
    in_numpy = "tests/numpy_backend/manyseeds_numpy/activations.py"
    project.change("manyseeds/techniques/activations.py", "\nActivation = Annotated[", ACTIVATION)
    project.change(
        "manyseeds/techniques/activations.py",
        "        | Softplus,\n",
        "        | Softplus\n        | Softsign,\n",
    )
    for old, new in IN_NUMPY:
        project.change(in_numpy, old, f'{old}\n        case "softsign":\n            {new}')
    project.change(in_pytorch, '    "relu":', '    "softsign": functional.softsign,\n    "relu":')
    project.add("manyseeds/conformance/recipes.toml", PARITY)
    certify = ("parity", "--recipe", "softsign", "--backend", "numpy", "--backend", "pytorch")
    done = project.command(*certify, "--steps", "20", "--no-mutations")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads(done.stdout)["cells"]
    states = {c["backend"]: c["state"] for c in cells if c["technique"] == "softsign"}
    assert states == {"numpy": "exact", "pytorch": "exact"}
    # It proves something: another activation under that name is found out.
    project.change(in_pytorch, "functional.softsign", "torch.tanh")
    assert project.command(*certify, "--steps", "2", "--no-mutations").returncode == 1
