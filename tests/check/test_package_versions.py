"""The versions on both sides of a comparison, in words."""

from manyseeds.check.findings import Finding
from manyseeds.check.package_versions import compared_versions
from manyseeds.check.rows import Row


def finding(backend, then, now, subject="adam"):
    return Finding(Row("numerics", backend, subject), "unchanged", then=then, now=now)


def test_changed_packages_come_first_with_both_versions():
    found = [
        finding("jax", {"jax": "0.10", "optax": "0.2"}, {"jax": "0.12", "optax": "0.2"}),
        finding("torch", {"torch": "2"}, {"torch": "2"}),
    ]
    assert compared_versions(found) == [
        "jax: jax 0.10 → 0.12; as then: optax 0.2",
        "torch: the same versions then and now: torch 2",
    ]


def test_rows_accepted_with_different_versions_are_all_named():
    found = [
        finding("jax", {"jax": "0.9"}, {"jax": "0.12"}),
        finding("jax", {"jax": "0.10"}, {"jax": "0.12"}, "sgd"),
    ]
    assert compared_versions(found) == ["jax: jax 0.9 or 0.10 → 0.12"]


def test_packages_that_one_side_lacks_are_named():
    found = [finding("jax", {"a": "1"}, {"b": "2"})]
    assert compared_versions(found) == ["jax: a 1 → none, b none → 2"]


def test_rows_that_were_not_measured_have_no_versions_to_compare():
    assert compared_versions([finding("jax", {"jax": "0.9"}, {})]) == []
