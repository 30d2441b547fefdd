"""`docs/architecture.md` walks through the modules in the order of their imports."""

import re
from pathlib import Path

import grimp
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"


def modules_of_the_walk():
    """Return the modules that the tables name, in order, without the core files of a wing."""
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    lines = [
        line
        for section in sections
        if "| core file |" not in section
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    names = [name for line in lines for name in re.findall(r"`([a-z_/]+)`", line.split("|")[1])]
    return [f"manyseeds.{name.replace('/', '.')}" for name in names]


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("manyseeds", exclude_type_checking_imports=True)


def test_every_module_of_the_walk_is_there_and_named_once(graph):
    modules = modules_of_the_walk()
    assert len(modules) > 30
    assert len(set(modules)) == len(modules)
    assert set(modules) <= set(graph.modules)


def test_no_module_of_the_walk_imports_one_that_comes_later(graph):
    modules = modules_of_the_walk()
    steps_back = [
        (module, later)
        for number, module in enumerate(modules)
        for later in modules[number + 1 :]
        if graph.chain_exists(importer=module, imported=later)
    ]
    assert steps_back == []
