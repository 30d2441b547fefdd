"""The versions in constraints.txt, pyproject.toml, the documentation and CI are the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CLONE = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
FRAMEWORKS = {"PyTorch": "torch", "TensorFlow": "tensorflow-cpu", "JAX": "jax"}


def project():
    return tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))


def pins(python):
    """Return the pinned version of each package on a Python."""
    found = {}
    for line in (CLONE / "constraints.txt").read_text(encoding="utf-8").splitlines():
        pin = Requirement(line)
        environment = {"python_version": python, "python_full_version": f"{python}.0"}
        if pin.marker is None or pin.marker.evaluate(environment):
            name = canonicalize_name(pin.name)
            assert name not in found, f"{name} is pinned twice on Python {python}"
            (found[name],) = (one.version for one in pin.specifier)
    return found


def bounds():
    """Return every requirement of pyproject.toml but those on manyseeds itself."""
    document = project()
    extras = document["project"]["optional-dependencies"].values()
    texts = [*document["project"]["dependencies"], *document["dependency-groups"]["dev"]]
    texts += [text for extra in extras for text in extra]
    return [one for one in map(Requirement, texts) if one.name != "manyseeds"]


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_pinned_lies_within_the_bounds(python):
    pinned = pins(python)
    checked = [one for one in bounds() if canonicalize_name(one.name) in pinned]
    assert len(checked) >= 40
    for one in checked:
        assert one.specifier.contains(pinned[canonicalize_name(one.name)]), one


def test_every_bound_names_the_lowest_version():
    without = {one.name for one in bounds() if not one.specifier}
    assert without == {"types-cachetools", "types-psutil"}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_documentation_names_the_pinned_versions(page, framework):
    text = (CLONE / page).read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {framework} \| ([^|]+) \|", text, re.MULTILINE)
    assert re.findall(r"\d+\.\d+\.[\d.]*\d", row) == list(
        dict.fromkeys(pins(python)[FRAMEWORKS[framework]] for python in PYTHONS)
    )


def test_ci_runs_the_tests_on_every_python_that_tox_takes():
    workflow = yaml.safe_load((CLONE / ".github" / "workflows" / "ci.yml").read_text())
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == list(PYTHONS)
    tox = (CLONE / "tox.ini").read_text(encoding="utf-8")
    taken = re.findall(r"^base_python = \{env:MANYSEEDS_PYTHON:(.*)\}$", tox, re.MULTILINE)
    assert taken[0] == ", ".join(f"python{python}" for python in PYTHONS)


@pytest.mark.parametrize(
    ("workflow", "command"),
    [("ci.yml", "tox -e tests-lowest"), ("latest.yml", "tox -e check-lowest")],
)
def test_ci_runs_the_tests_and_the_gate_with_the_lowest_versions(workflow, command):
    jobs = yaml.safe_load((CLONE / ".github" / "workflows" / workflow).read_text())["jobs"]
    steps = [step.get("run", "") for step in jobs["lowest"]["steps"]]
    assert any(step.startswith(command) for step in steps)


def test_the_newest_releases_are_checked_on_the_newest_python_that_all_frameworks_support():
    jobs = yaml.safe_load((CLONE / ".github" / "workflows" / "latest.yml").read_text())["jobs"]
    (python,) = (
        step["with"]["python-version"]
        for step in jobs["latest"]["steps"]
        if step.get("uses", "").startswith("actions/setup-python")
    )
    extra = project()["project"]["optional-dependencies"]["all"]
    (limit,) = (one.marker for one in map(Requirement, extra) if "tensorflow" in one.extras)
    supported = [p for p in PYTHONS if limit.evaluate({"python_version": p})]
    assert python == supported[-1]
