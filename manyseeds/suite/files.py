"""Suite files: where the bundled ones are, and how a file is found and read."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from manyseeds.errors import RequestError, shortened, unknown
from manyseeds.model import digest_text
from manyseeds.model.toml_text import read_text
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.suite import Suite

CHAPTER = "chapter.toml"
"""The file beside the bundled suites that lists the claims of the chapter; it is not a suite."""


@dataclass(frozen=True)
class SuiteFile:
    """A suite and the file it was read from.

    Attributes
    ----------
    suite
        The suite, in its full or its quick form.
    path
        The file.
    text
        The file's text, which a plan records and a resumed run is compared with.
    quick
        Whether `suite` is the quick form.
    """

    suite: Suite
    path: Path
    text: str
    quick: bool

    @property
    def sha256(self) -> str:
        """The SHA-256 of the text, 64 hexadecimal digits."""
        return digest_text(self.text)


def suites_folder() -> Path:
    """Return the folder of the bundled suites: that of the clone, or that of the wheel."""
    clone = Path(__file__).parents[2] / "suites"
    if (clone.parent / "pyproject.toml").is_file() and clone.is_dir():
        return clone
    return Path(str(files("manyseeds") / "_suites"))


def suite_names() -> list[str]:
    """Return the names of the bundled suites, sorted."""
    return sorted(path.stem for path in suites_folder().glob("*.toml") if path.name != CHAPTER)


def find_suite(name: str) -> Path:
    """Return the file of a suite.

    Parameters
    ----------
    name
        The path of a TOML file, or the name of a bundled suite.

    Raises
    ------
    RequestError
        There is no such file or suite.
    """
    if name.endswith(".toml"):
        if not _is_file(Path(name)):
            raise RequestError(
                f"no suite file {shortened(name, 300)}: give the path of a TOML file or the name "
                "of a bundled suite"
            )
        return Path(name)
    if name not in suite_names():
        raise RequestError(unknown("suite", name, suite_names()))
    return suites_folder() / f"{name}.toml"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the system
        return False


def read_suite(name: str, *, quick: bool = False) -> SuiteFile:
    """Read a suite by name or path, in its full or its quick form.

    Raises
    ------
    RequestError
        There is no such suite, or its file cannot be read or is invalid.
    """
    path = find_suite(name)
    text = suite_text(path)
    return SuiteFile(parse_suite(text, str(path), quick=quick), path, text, quick)


def suite_text(path: Path) -> str:
    """Return the text of a suite file, as plans record it.

    Raises
    ------
    RequestError
        The file cannot be read.
    """
    try:
        return read_text(path)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise RequestError(f"{path}: cannot be read: {error}") from None
