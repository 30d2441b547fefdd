"""Schedules: closed forms, for every lane and step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyseeds.schedules import Clock, ConstantRate, Exponential, Power

LANES = 3


def rates(schedule, epoch=0, steps=4, rate=0.1):
    seen = np.full((epoch, LANES), 0.5)
    return schedule.rates(rate, Clock(epoch=epoch, steps=steps, epochs=10), seen)


def test_steps_are_counted_from_the_start_of_the_phase():
    assert Clock(epoch=2, steps=3, epochs=5).step_numbers().tolist() == [6, 7, 8]


def test_a_constant_rate_stays():
    assert (rates(ConstantRate(), epoch=3) == np.full((LANES, 4), 0.1)).all()


def test_power_scheduling_halves_the_rate_after_s_steps_and_thirds_it_after_two_s():
    found = np.concatenate([rates(Power(s=4.0), epoch)[0] for epoch in range(3)])
    assert found[[0, 4, 8]] == pytest.approx([0.1, 0.1 / 2, 0.1 / 3])


@given(s=st.floats(0.5, 1e4), c=st.floats(0, 3), epoch=st.integers(0, 30))
def test_power_scheduling_is_its_equation(s, c, epoch):
    t = np.arange(4 * epoch, 4 * epoch + 4)
    assert rates(Power(s=s, c=c), epoch)[1] == pytest.approx(0.1 * (s / (s + t)) ** c)


def test_exponential_scheduling_divides_by_ten_every_s_epochs():
    per_epoch = Exponential(s=5.0)
    assert rates(per_epoch, 0) == pytest.approx(np.full((LANES, 4), 0.1))
    assert rates(per_epoch, 5) == pytest.approx(np.full((LANES, 4), 0.01))
    assert rates(per_epoch, 1)[0, 0] == pytest.approx(0.1 * np.exp(-np.log(10) / 5))


def test_exponential_scheduling_per_step_divides_by_ten_every_s_steps():
    found = np.concatenate([rates(Exponential(s=2.0, per="step"), e)[0] for e in range(2)])
    assert found[::2] == pytest.approx(0.1 * 0.1 ** np.arange(4))
    assert found[1] == pytest.approx(0.1 / np.sqrt(10))


@pytest.mark.parametrize("schedule", [ConstantRate(), Power(), Exponential()])
def test_every_lane_has_a_row_of_its_own(schedule):
    found = rates(schedule)
    assert found.shape == (LANES, 4)
    found[0] = 7  # writing one lane must not write the others
    assert (found[1:] < 7).all()
