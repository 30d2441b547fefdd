"""Lists suites, techniques, data sets and backends, and examines the installation."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version

from manyseeds.backend.compiled_programs import COMPILED_VARIABLE, compiled_folder
from manyseeds.backend.discovery import absence, backend_entries
from manyseeds.datasets import DATASETS
from manyseeds.errors import ManyseedsError
from manyseeds.presentation.command_result import Outcome
from manyseeds.processes.host import cores, free_memory
from manyseeds.suite.files import read_suite, suite_names
from manyseeds.techniques.registry import technique_name, techniques


def listing(kind: str) -> Outcome:
    """Return the table of `manyseeds list KIND`."""
    return {
        "suites": _list_suites,
        "techniques": _list_techniques,
        "datasets": _list_datasets,
        "backends": _list_backends,
    }[kind]()


def _list_suites() -> Outcome:
    suites = [read_suite(name).suite for name in suite_names()]
    rows = tuple(
        (suite.name, suite.title, len(suite.recipes()), len(suite.cases()), suite.seeds)
        for suite in suites
    )
    return Outcome("Suites", ("name", "title", "recipes", "cases", "seeds"), rows)


def _list_techniques() -> Outcome:
    rows = tuple(
        (cls.kind, technique_name(cls), (cls.__doc__ or "").split("\n")[0], cls.source)
        for cls in techniques()
    )
    return Outcome("Techniques", ("kind", "name", "definition", "source"), rows)


def _list_datasets() -> Outcome:
    rows = tuple(
        (d.name, d.title, d.train, d.test, d.features, len(d.classes), d.how_to_obtain, d.licence)
        for d in DATASETS.values()
    )
    sizes = ("train", "test", "features", "classes")
    columns = ("name", "title", *sizes, "how to obtain it", "licence")
    return Outcome("Datasets", columns, rows)


def _list_backends() -> Outcome:
    rows = []
    for name, entry in backend_entries().items():
        reason = absence(entry)
        state = f"not installed: {reason}" if reason else "installed"
        rows.append((name, ", ".join(entry.requires), state))
    return Outcome("Backends", ("name", "requires", "state"), tuple(rows))


def examine() -> Outcome:
    """Return the table of `manyseeds doctor`: whether everything a run needs is there."""
    rows: list[tuple[str, str, str]] = [
        ("python", "ok", sys.version.split()[0]),
        ("cores", "ok", str(cores())),
        ("free memory", "ok", f"{free_memory() / 2**30:.1f} GiB"),
    ]
    for name, entry in backend_entries().items():
        reason = absence(entry)
        versions = ", ".join(f"{module} {_version(module)}" for module in entry.requires)
        rows.append((f"backend {name}", "absent" if reason else "ok", reason or versions))
    for name, described in DATASETS.items():
        try:
            described.load()
            rows.append((f"dataset {name}", "ok", described.how_to_obtain))
        except ManyseedsError as error:
            rows.append((f"dataset {name}", "absent", str(error)))
    rows.append(("compiled programs", "ok", _compiled()))
    usable = any(name.startswith("backend") and state == "ok" for name, state, _ in rows)
    return Outcome("Doctor", ("what", "state", "detail"), tuple(rows), 0 if usable else 1)


def _compiled() -> str:
    """Return the size and folder of the compiled programs."""
    folder = compiled_folder()
    if folder is None:
        off = os.environ.get(COMPILED_VARIABLE) == "off"
        return f"not saved: {f'{COMPILED_VARIABLE} is off' if off else 'the user has no home'}"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 2**20:.0f} MiB in {folder}"


def _version(module: str) -> str:
    for package in (module, f"{module}-cpu"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return "?"
