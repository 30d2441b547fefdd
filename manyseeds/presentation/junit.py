"""JUnit XML, which CI systems show: the gate and the parity kit both report in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import Element


@dataclass(frozen=True)
class JunitCase:
    """One test case.

    Attributes
    ----------
    name, classname
        The name of the test, and the group in which CI systems show it.
    outcome
        "passed", "failed" or "skipped".
    message, details
        One line that says why the test did not pass, and further details.
    """

    name: str
    classname: str
    outcome: Literal["passed", "failed", "skipped"] = "passed"
    message: str = ""
    details: str = ""


@dataclass(frozen=True)
class JunitSuite:
    """Test cases that belong together.

    Attributes
    ----------
    seconds
        How long they took together; None leaves it out.
    """

    name: str
    cases: tuple[JunitCase, ...]
    seconds: float | None = None


def junit_document(name: str, suites: Sequence[JunitSuite]) -> str:
    """Return an XML document of several suites, with `<testsuites>` as its root."""
    root = JUnitXml(name)
    for suite in suites:
        root.add_testsuite(_suite(suite))
    return _document(root)


def junit_suite_document(suite: JunitSuite) -> str:
    """Return an XML document of one suite, with `<testsuite>` as its root."""
    return _document(_suite(suite))


def _suite(suite: JunitSuite) -> TestSuite:
    element = TestSuite(suite.name)
    element.add_testcases([_case(case) for case in suite.cases])
    if suite.seconds is not None:
        element.time = round(suite.seconds, 3)
    return element


def _case(case: JunitCase) -> TestCase:
    element = TestCase(_printable(case.name), case.classname)
    if case.outcome != "passed":
        kind = Failure if case.outcome == "failed" else Skipped
        result = kind(_printable(case.message))
        if case.details:
            result.text = _printable(case.details)
        element.result = [result]
    return element


def _document(root: Element) -> str:
    xml: bytes = root.tostring()  # type: ignore[no-untyped-call]
    return f"<?xml version='1.0' encoding='utf-8'?>\n{xml.decode()}\n"


def _printable(text: str) -> str:
    """Return a text without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
