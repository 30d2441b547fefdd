"""JUnit XML, read back with Python's own parser."""

from xml.etree import ElementTree

from manyseeds.presentation.junit import (
    JunitCase,
    JunitSuite,
    junit_document,
    junit_suite_document,
)

CASES = (
    JunitCase("fine", "a.b"),
    JunitCase("broken", "a.b", "failed", "it differs", "by 3"),
    JunitCase("unsure", "a.b", "skipped", "too few seeds"),
)


def test_a_document_counts_its_cases():
    root = ElementTree.fromstring(junit_document("check", [JunitSuite("time", CASES, 1.23456)]))
    (suite,) = root
    assert (root.tag, root.get("name"), suite.get("name")) == ("testsuites", "check", "time")
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]
    assert counts == ["3", "1", "0", "1", "1.235"]


def test_a_case_says_why_it_did_not_pass():
    root = ElementTree.fromstring(junit_suite_document(JunitSuite("parity", CASES)))
    assert root.tag == "testsuite"
    fine, broken, unsure = root
    assert (fine.get("classname"), fine.get("name"), len(fine)) == ("a.b", "fine", 0)
    assert (broken[0].tag, broken[0].get("message"), broken[0].text) == (
        *("failure", "it differs", "by 3"),
    )
    assert (unsure[0].tag, unsure[0].get("message")) == ("skipped", "too few seeds")


def test_characters_that_xml_cannot_hold_are_replaced():
    hostile = JunitCase('a"<b>\x00&', "c", "failed", "\x1b[31mred", "line\nline")
    (case,) = ElementTree.fromstring(junit_suite_document(JunitSuite("s", (hostile,))))
    assert case.get("name") == 'a"<b>�&'
    assert case[0].get("message") == "�[31mred"
    assert case[0].text == "line\nline"
