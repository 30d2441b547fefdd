"""Subjects in processes of their own, and the table of ratios printed at the end.

`--smallest` runs every benchmark once at its smallest size; `--markdown FILE` writes the table into
a Markdown file, between two markers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.floor import Floor, measured_floor
from benchmarks.products import Product
from benchmarks.ratio_table import (
    Measurement,
    markdown_table,
    terminal_table,
    text_around_markers,
    write_between_markers,
)
from benchmarks.sizes import SMALLEST, WHOLE, Sizes
from manyseeds.processes.worker_process import Worker

MODULES = {"pytorch": "torch", "tensorflow": "tensorflow", "jax": "jax"}
MEASUREMENTS = pytest.StashKey[list[Measurement]]()


class SubjectProcess:
    """A worker process that does the work of subjects on request."""

    def __init__(self) -> None:
        self._worker = Worker.start("benchmarks.subjects")

    def work(self, *request: object) -> dict[str, Any]:
        """Send a request and return its answer."""
        self._worker.send({"request": request})
        return self._worker.receive()

    def close(self) -> None:
        """End the worker."""
        self._worker.stop()


@dataclass(frozen=True)
class TimedSubject:
    """A subject in its process, with the arguments it is prepared with."""

    process: SubjectProcess
    name: str
    arguments: tuple[object, ...]

    def work(self, *arguments: object) -> dict[str, Any]:
        """Do the work once; `seconds` is how long it took."""
        return self.process.work(self.name, self.arguments, arguments)


Starter = Callable[..., TimedSubject]


def library_of(name: str, arguments: tuple[object, ...]) -> str:
    """Return the library that a subject opens: no other can be opened in its process."""
    if name in ("keras", "torch_loop", "flax_loop"):
        return name
    return f"products in {arguments[0]}" if name == "multiplying" else f"manyseeds, {arguments[0]}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the benchmarks."""
    parser.addoption(
        "--smallest", action="store_true", help="run every benchmark once at its smallest size"
    )
    parser.addoption(
        "--markdown", type=Path, help="write the table between the markers of this Markdown file"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start with an empty table; refuse a file for it that could not be written at the end."""
    config.stash[MEASUREMENTS] = []
    if file := config.getoption("--markdown"):
        try:
            text_around_markers(file)
        except (OSError, ValueError) as error:
            raise pytest.UsageError(f"--markdown {file}: {error}") from None


@pytest.fixture(params=MODULES)
def backend(request: pytest.FixtureRequest) -> str:
    """Return each backend's name in turn; one whose framework is not installed is skipped."""
    pytest.importorskip(MODULES[request.param])
    return str(request.param)


@pytest.fixture(scope="session")
def sizes(request: pytest.FixtureRequest) -> Sizes:
    """Return the sizes of the benchmarks."""
    return SMALLEST if request.config.getoption("--smallest") else WHOLE


@pytest.fixture(scope="session")
def shared_process() -> Iterator[Callable[[str], SubjectProcess]]:
    """Return a function that returns the process that a library's subjects share."""
    with ExitStack() as stack:

        @cache
        def process(library: str) -> SubjectProcess:
            del library
            return stack.enter_context(closing(SubjectProcess()))

        yield process


@pytest.fixture(scope="session")
def subjects(
    sizes: Sizes, shared_process: Callable[[str], SubjectProcess]
) -> Callable[[], AbstractContextManager[Starter]]:
    """Return a context that starts subjects, and ends their processes when it closes."""

    @contextmanager
    def starting() -> Iterator[Starter]:
        with ExitStack() as stack:

            def start(name: str, *arguments: object) -> TimedSubject:
                if sizes.share_processes:
                    return TimedSubject(
                        shared_process(library_of(name, arguments)), name, arguments
                    )
                return TimedSubject(stack.enter_context(closing(SubjectProcess())), name, arguments)

            yield start

    return starting


@pytest.fixture
def subject(subjects: Callable[[], AbstractContextManager[Starter]]) -> Iterator[Starter]:
    """Start subjects; their processes end with the test."""
    with subjects() as start:
        yield start


@pytest.fixture(scope="session")
def floor(
    sizes: Sizes, subjects: Callable[[], AbstractContextManager[Starter]]
) -> Callable[[tuple[Product, ...], int], Floor]:
    """Return a function that measures the floor under products in some lanes, each floor once."""

    @cache
    def measured(products: tuple[Product, ...], lanes: int) -> Floor:
        with subjects() as start:
            return measured_floor(products, lanes, sizes.product_seconds, start)

    return measured


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add a line to the table."""

    def add(benchmark: str, backend: str = "", **texts: str) -> None:
        row = Measurement(benchmark, backend, **texts)
        request.config.stash[MEASUREMENTS].append(row)
        # Printed now as well: the table is lost if a later benchmark is interrupted.
        print("  " + " | ".join(text for text in astuple(row) if text))

    return add


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Print the table, and write it into the Markdown file."""
    rows = config.stash[MEASUREMENTS]
    if not rows:
        return
    Console(width=140).print(terminal_table(rows))
    if file := config.getoption("--markdown"):
        write_between_markers(file, markdown_table(rows))
