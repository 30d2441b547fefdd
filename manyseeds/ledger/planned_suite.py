"""The suite of a plan, read from the text that the plan records."""

from __future__ import annotations

from manyseeds.errors import RequestError
from manyseeds.ledger.plan import Plan
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.suite import Suite


def planned_suite(plan: Plan) -> Suite:
    """Return the suite of a plan, as it was when the plan was made.

    Raises
    ------
    RequestError
        This version of manyseeds no longer reads the suite's text.
    """
    try:
        return parse_suite(plan.suite_text, plan.suite_file, quick=plan.quick)
    except RequestError as error:
        raise RequestError(
            f"run {plan.run!r} was planned by another version of manyseeds, and this one cannot "
            f"read its suite: use the version in its provenance.json, or name other runs. {error}"
        ) from error
