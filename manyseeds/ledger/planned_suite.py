"""The suite of a plan, read from the text that the plan records."""

from __future__ import annotations

from manyseeds.errors import RequestError, RunError
from manyseeds.ledger.plan import Plan
from manyseeds.suite.reader import parse_suite
from manyseeds.suite.suite import Suite


def planned_suite(plan: Plan) -> Suite:
    """Return the suite of a plan, as it was when the plan was made.

    Raises
    ------
    RequestError
        This version of manyseeds no longer reads the suite's text.
    RunError
        The plan has jobs or names that its suite does not have: one of them was changed.
    """
    suite = _parsed(plan)
    if problem := _contradiction(plan, suite):
        raise RunError(
            f"the plan of run {plan.run!r} contradicts its suite: {problem}. Restore plan.json "
            "from version control or a backup."
        )
    return suite


def _parsed(plan: Plan) -> Suite:
    try:
        return parse_suite(plan.suite_text, plan.suite_file, quick=plan.quick)
    except RequestError as error:
        raise RequestError(
            f"run {plan.run!r} was planned by another version of manyseeds, and this one cannot "
            f"read its suite: use the version in its provenance.json, or name other runs. {error}"
        ) from error


def _contradiction(plan: Plan, suite: Suite) -> str:
    """Return where a plan contradicts its suite; "" if it does not."""
    if (plan.suite, plan.primary) != (suite.name, suite.primary):
        return (
            f"suite {plan.suite!r} by {plan.primary!r}, where the suite's text has {suite.name!r} "
            f"by {suite.primary!r}"
        )
    cells = {(cell.recipe.name, cell.case) for cell in suite.cells}
    for job in plan.jobs:
        if (job.recipe, job.case) not in cells:
            return f"job {job.id} has recipe {job.recipe!r}, case {job.case!r}: the suite has not"
    return ""
