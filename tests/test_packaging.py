"""The wheel and the sdist hold what they must, and work away from the clone."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

pytestmark = pytest.mark.slow

CLONE = Path(__file__).parent.parent
PACKAGES = {"manyseeds", "manyseeds_pytorch", "manyseeds_tensorflow", "manyseeds_jax"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build sdist, and the wheel from it, out of the files that belong to the project."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(tracked, cwd=CLONE, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (CLONE / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((CLONE / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def files_below(folder, *endings):
    """Return the project's files of a folder with these endings, as the wheel names them."""
    return {
        str(path.relative_to(CLONE)).removeprefix("backends/")
        for path in (CLONE / folder).rglob("*")
        if path.is_file() and path.suffix in endings and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_code_suites_data_templates_and_backends(built):
    wheel, _ = built
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = files_below("manyseeds", ".py", ".toml", ".html", ".css", ".js", ".xz", ".md")
    expected |= files_below("backends", ".py")
    assert expected <= names
    suites = {f"manyseeds/_suites/{path.name}" for path in (CLONE / "suites").glob("*.toml")}
    assert {name for name in names if name.startswith("manyseeds/_suites/")} == suites
    assert any(name.endswith(".html") for name in expected)
    assert sum(name.endswith("ubyte.xz") for name in expected) == 2


def test_the_wheel_holds_no_tests_no_benchmarks_and_no_results(built):
    wheel, _ = built
    names = {PurePosixPath(name) for name in zipfile.ZipFile(wheel).namelist()}
    top = {name.parts[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == PACKAGES
    modules = [*(CLONE / "tests").rglob("*.py"), *(CLONE / "benchmarks").rglob("*.py")]
    tests = {path.name for path in modules if path.name.startswith(("test_", "conftest"))}
    assert {"test_packaging.py", "test_cohorts.py", "conftest.py"} <= tests
    assert not {name for name in names if name.name in tests}
    assert not {name for name in names if {"tests", "benchmarks", "results"} & {*name.parts}}


def test_every_package_in_the_wheel_is_marked_as_typed(built):
    wheel, _ = built
    archive = zipfile.ZipFile(wheel)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(archive.namelist())
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    assert "Classifier: Typing :: Typed" in archive.read(metadata).decode()


def test_the_sdist_holds_what_the_wheel_is_built_from_and_its_tests(built):
    _, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "tox.ini", "constraints.txt"} <= names
    assert {"suites/transfer.toml", "tests/test_packaging.py", "tests/tiny.toml"} <= names
    assert {"benchmarks/conftest.py", "CONTRIBUTING.md", "docs/architecture.svg"} <= names
    assert not {name for name in names if name.startswith(("results/", "reports/"))}


def python(folder, code, cwd):
    """Run code with a folder first on the path, away from the clone."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *code],
        cwd=cwd, env=environment | ({"PYTHONPATH": str(folder)} if folder else {}),
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Install the wheel into a folder."""
    wheel, _ = built
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", folder, wheel], check=True, capture_output=True)
    return folder


WHERE = (
    "from manyseeds.cli import main as cli; from manyseeds.suite.files import suites_folder;"
    "print(cli.__file__); print(suites_folder())"
)


def test_the_installed_wheel_finds_its_own_suites_backends_and_data(installed, tmp_path):
    module, suites = python(installed, ["-c", WHERE], tmp_path).split()
    assert Path(module).is_relative_to(installed)
    assert Path(suites) == installed / "manyseeds" / "_suites"

    def listed(kind):
        command = ["-m", "manyseeds.cli.main", "list", kind, "--json"]
        return [row["name"] for row in json.loads(python(installed, command, tmp_path))["rows"]]

    suites_of_clone = {path.stem for path in (CLONE / "suites").glob("*.toml")} - {"chapter"}
    assert listed("suites") == sorted(suites_of_clone)
    assert {"pytorch", "tensorflow", "jax"} <= set(listed("backends"))
    load = (
        "from manyseeds.datasets import dataset;"
        "print(len(dataset('fashion-mnist-12k').load().train.labels))"
    )
    assert python(installed, ["-c", load], tmp_path).strip() == "10000"


def test_an_editable_install_finds_the_suites_of_the_clone(tmp_path):
    module, suites = python(None, ["-c", WHERE], tmp_path).split()
    if not Path(module).is_relative_to(CLONE):
        pytest.skip("manyseeds is not installed from this clone")
    assert Path(suites) == CLONE / "suites"
