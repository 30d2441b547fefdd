"""Backends are timed in processes, and every subject has an entry or a reason."""

import json

import numpy as np
import pytest

from manyseeds.check.timing.measurement import (
    STEPS,
    SUBJECTS,
    WAITING,
    TimingOptions,
    measure,
)
from manyseeds.check.timing.workloads import COMPILE, MEMORY, WORKLOADS
from manyseeds.errors import RequestError

STANDING_IN = ("tests.check.timing.standing_in_worker",)


def timed(program, processes=2, rounds=2):
    return TimingOptions(processes=processes, rounds=rounds, program=program)


def test_entries_hold_every_process_and_every_round():
    found = measure(["jax", "x"], timed(STANDING_IN, 3, 4))
    assert {each.backend for each in found} == {"jax", "x"}
    by_subject = {each.subject: each for each in found if each.backend == "x"}
    assert set(by_subject) == set(SUBJECTS) - {COMPILE}
    for name in WORKLOADS:
        np.testing.assert_allclose(by_subject[name].arrays["samples"], np.full((3, 4), 1.5))
    np.testing.assert_allclose(by_subject[WAITING].arrays["samples"], np.ones((3, 4)))
    np.testing.assert_allclose(by_subject[MEMORY].arrays["samples"], np.full((2, 1), 5.0))
    assert by_subject["adam step"].versions == {"x": "1"}
    json.dumps(by_subject["adam step"].context)


def test_a_process_that_dies_leaves_no_subject_out():
    found = measure(["x"], timed([*STANDING_IN, "die"]))
    assert [each.subject for each in found] == list(SUBJECTS)
    assert all("status 3: out of luck" in each.context["failed"] for each in found)


def test_without_one_of_the_steps_there_is_no_mean_of_all_and_it_says_why():
    """It must not look like a row that no longer exists: an acceptance drops such rows."""
    found = measure(["x"], timed([*STANDING_IN, "fail", "adam step"]))
    assert {each.subject for each in found} == set(SUBJECTS) - {COMPILE}
    failed = {e.subject: e.context["failed"] for e in found if "failed" in e.context}
    assert failed == {"adam step": "TypeError: no", STEPS: "not measured: adam step"}


def test_a_backend_that_cannot_be_opened_is_refused():
    with pytest.raises(RequestError, match="no such device"):
        measure(["x"], timed([*STANDING_IN, "refuse"]))


def test_the_share_of_time_that_the_yardstick_waited_is_recorded():
    found = measure(["x"], timed(STANDING_IN, 2, 4))
    assert {each.context["waited"] for each in found} == {0.5}  # 4 ms of the wall, 2 of the CPU
