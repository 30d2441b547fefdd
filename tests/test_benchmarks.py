"""Every benchmark runs, once and at its smallest size, and its line reaches the table."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import variants
from benchmarks.products import Product
from benchmarks.ratio_table import END, START
from benchmarks.threefry import compiled_draw
from manyseeds.randomness.noise import threefry

ROOT = Path(__file__).parents[1]
BENCHMARKS = re.findall(
    r"^def (test_\w+)",
    "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "benchmarks").glob("test_*.py")),
    re.MULTILINE,
)


NEEDS_NUMBA = "test_steps_of_every_technique"
"""Its floor is measured by a loop that Numba compiles, which comes with PyTorch's extra."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run all benchmarks at their smallest; return what pytest printed and the Markdown file."""
    readme = tmp_path_factory.mktemp("benchmarks") / "README.md"
    readme.write_text(f"before\n{START}\nthe old table\n{END}\nafter\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "benchmarks", "--smallest", f"--markdown={readme}"]
    # In a worker of pytest-xdist, which this process may be, pytest-benchmark measures nothing.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    process = subprocess.run(
        [*command, "-v", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=environment | {"MANYSEEDS_COMPILED": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-5000:]
    return process.stdout, readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("benchmark_name", BENCHMARKS)
def test_a_benchmark_runs_at_its_smallest_size(run, benchmark_name):
    if benchmark_name == NEEDS_NUMBA:
        pytest.importorskip("numba")
    output, _ = run
    outcomes = re.findall(rf"::{benchmark_name}(?:\[\S+\])? (\w+)", output)
    assert "PASSED" in outcomes
    assert set(outcomes) <= {"PASSED", "SKIPPED"}  # skipped where a framework is not installed


def test_the_table_replaces_the_old_one_between_the_markers(run):
    _, readme = run
    assert readme.startswith(f"before\n{START}\nMeasured on ")
    assert readme.endswith(f"|\n{END}\nafter\n")
    assert "the old table" not in readme
    rows = [line.split(" | ") for line in readme.splitlines() if line.startswith("| ")]
    assert {len(row) for row in rows} == {6}
    names = " ".join(row[0] for row in rows)
    steps = ["a plain step"] if find_spec("numba") else []
    for name in ("task B from scratch", "an epoch of task A", "peak memory", *steps):
        assert name in names
    assert "products alone" in readme


@pytest.mark.parametrize("variant", variants.VARIANTS)
def test_every_variant_is_a_phase_whose_added_arithmetic_is_known(variant):
    assert variants.phase(variant) != variants.phase("plain")
    added = variants.added_arithmetic(variant, 2)
    assert min(added.bytes, added.flops, added.blocks) >= 0


def test_a_steps_products_are_counted_as_the_equations_have_them():
    # Forward and the kernel's gradient in each of three layers; the inputs' gradient in two.
    products = variants.plain_products()
    kernels = [(784, 300), (300, 100), (100, 10)]
    assert products == (
        *(Product(32, inputs, units) for inputs, units in kernels),
        *(Product(inputs, 32, units) for inputs, units in kernels),
        *(Product(32, units, inputs) for inputs, units in kernels[1:]),
    )
    flops = 2 * 32 * (3 * (784 * 300 + 300 * 100 + 100 * 10) - 784 * 300)
    assert sum(product.flops for product in products) == flops


def test_the_benchmarks_own_threefry_is_the_projects():
    pytest.importorskip("numba")
    key, words = np.array([123456789, 987654321], np.uint32), np.empty((2, 1000), np.uint32)
    compiled_draw()(*key, words)
    counters = np.stack([np.arange(1000, dtype=np.uint32), np.zeros(1000, np.uint32)], axis=-1)
    np.testing.assert_array_equal(words.T, threefry(key, counters))


def test_a_file_without_a_table_is_refused_before_anything_is_measured(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no markers\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "benchmarks", "--smallest", f"--markdown={readme}"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"--markdown {readme}: expected the lines {START}" in process.stderr
