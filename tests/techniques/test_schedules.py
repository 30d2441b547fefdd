"""Schedules against their closed forms, for every lane and step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from manyseeds.techniques.schedules import (
    Clock,
    ConstantRate,
    Exponential,
    ExponentialDecay,
    OneCycle,
    Performance,
    Piecewise,
    Power,
    RangeTest,
    WarmUp,
)

LANES = 3


def rates(schedule, epoch=0, steps=4, rate=0.1):
    losses = np.full((epoch, LANES), 0.5)
    return schedule.rates(rate, Clock(epoch=epoch, steps=steps, epochs=10), losses)


def whole(schedule, steps, epochs, rate=0.1):
    """Return the rates of a whole phase, [steps of all epochs]."""
    losses = np.full((0, 1), 0.5)
    clocks = [Clock(epoch=epoch, steps=steps, epochs=epochs) for epoch in range(epochs)]
    return np.concatenate([schedule.rates(rate, clock, losses)[0] for clock in clocks])


def momenta(schedule, steps, epochs, momentum=0.95):
    clocks = [Clock(epoch=epoch, steps=steps, epochs=epochs) for epoch in range(epochs)]
    return np.concatenate([schedule.momenta(momentum, clock) for clock in clocks])


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


def test_exponential_decay_is_the_class_of_keras():
    """keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9): 0.1 * 0.9 ** (step / 10)."""
    found = whole(ExponentialDecay(s=10.0, decay=0.9), 7, 6)
    assert found[[0, 10, 20, 40]] == pytest.approx([0.1, 0.09, 0.081, 0.06561], rel=1e-12)
    assert found[5] == pytest.approx(0.1 * np.sqrt(0.9), rel=1e-12)


def test_piecewise_constant_scheduling_is_the_chapters_example():
    """.01 for the first five epochs, .005 until the fifteenth, then .001."""
    chapter = Piecewise(boundaries=(5, 15), later=(0.005, 0.001))
    found = whole(chapter, 3, 20, rate=0.01)
    np.testing.assert_array_equal(found, np.repeat([0.01, 0.005, 0.001], [15, 30, 15]))


@pytest.mark.parametrize(
    ("boundaries", "later", "complaint"),
    [
        ((5,), (0.1, 0.2), "1 boundaries and 2 later rates"),
        ((5, 5), (0.1, 0.2), "each later than the one before"),
        ((0,), (0.1,), "from 1"),
        ((1,), (0.0,), "above 0"),
    ],
)
def test_invalid_piecewise_rates_are_refused(boundaries, later, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Piecewise(boundaries=boundaries, later=later)


def plateau(losses, factor, patience, least):
    """Return the factors of Keras' ReduceLROnPlateau(monitor="val_loss", cooldown=0), written out.

    Each is the factor in force during an epoch, before the loss of that epoch is known.
    """
    best, wait, now, found = float("inf"), 0, 1.0, []
    for loss in losses:
        found.append(now)
        if loss < best - least:
            best, wait = loss, 0
            continue
        wait += 1
        if wait >= patience:
            now *= factor
            wait = 0
    return [*found, now]


def test_performance_scheduling_worked_by_hand():
    """Patience 2, factor .5, improvements of more than .1.

    1.0 is the best; .95 is no improvement of more than .1 (wait 1), nor is .91 (wait 2: halve).
    .85 improves on 1.0; .80 and .9 wait: halve; .76 waits (it is within .1 of .85).
    """
    losses = np.array([1.0, 0.95, 0.91, 0.85, 0.80, 0.9, 0.76])[:, None]
    schedule = Performance(factor=0.5, patience=2, least=0.1)
    found = [
        schedule.rates(0.2, Clock(epoch=epoch, steps=2, epochs=9), losses[:epoch])
        for epoch in range(8)
    ]
    assert all((rates == rates[0, 0]).all() and rates.shape == (1, 2) for rates in found)
    expected = [0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05]
    assert [rates[0, 0] for rates in found] == pytest.approx(expected)


@given(
    losses=st.lists(st.lists(st.floats(0, 1) | st.just(np.nan), min_size=3, max_size=3)),
    patience=st.integers(1, 3),
    least=st.sampled_from([0.0, 1e-4, 0.2]),
)
def test_performance_scheduling_is_that_of_keras_for_every_lane_on_its_own(losses, patience, least):
    schedule = Performance(factor=0.5, patience=patience, least=least)
    seen = np.array(losses).reshape(-1, 3)
    clock = Clock(epoch=len(seen), steps=2, epochs=100)
    found = schedule.rates(0.2, clock, seen)
    for lane in range(3):
        factor = plateau(seen[:, lane], 0.5, patience, least)[-1]
        assert found[lane] == pytest.approx([0.2 * factor] * 2)


@pytest.mark.parametrize(("steps", "epochs"), [(430, 25), (7, 3), (10, 1), (3, 10)])
def test_one_cycle_goes_through_the_chapters_corners(steps, epochs):
    n = steps * epochs
    tail = n // 10 + 1
    half = (n - tail) // 2
    found = whole(OneCycle(), steps, epochs, rate=0.05)
    low = 0.05 / 10
    assert found[[0, half]] == pytest.approx([low, 0.05], rel=1e-12)
    assert found.argmax() == half
    # Back to the start rate at step 2 half; the tail would reach start / 1000 at step n.
    assert found[2 * half] == pytest.approx(low, rel=1e-12)
    step = (low / 1000 - low) / (n - 2 * half)
    assert found[-1] == pytest.approx(low / 1000 - step, rel=1e-9)
    straight = np.split(found, [half + 1, 2 * half + 1])
    assert all(np.ptp(np.diff(part)) < 1e-15 for part in straight if len(part) > 1)
    assert found.min() > 0


def test_one_cycle_on_the_chapters_protocol():
    """55,000 images in batches of 128 for 25 epochs: 430 steps each, 10,750 in all."""
    found = whole(OneCycle(), 430, 25, rate=0.05)
    # 1,076 steps of tail, halves of 4,837: worked from the book's class by hand.
    assert found[4837] == 0.05
    assert found[4836] == pytest.approx(0.005 + 0.045 * 4836 / 4837, rel=1e-12)
    assert found[9674] == pytest.approx(0.005, rel=1e-12)
    assert found[10749] == pytest.approx(0.005 + (5e-6 - 0.005) * 1075 / 1076, rel=1e-9)


@given(steps=st.integers(1, 40), epochs=st.integers(1, 30))
def test_one_cycle_stays_within_its_rates_even_if_it_is_short(steps, epochs):
    found = whole(OneCycle(), steps, epochs, rate=0.05)
    assert found.shape == (steps * epochs,)
    assert (found > 0).all()
    assert (found <= 0.05).all()


def test_one_cycle_reaches_its_rate_from_three_steps_on():
    reached = [steps for steps in range(1, 40) if whole(OneCycle(), steps, 1, 0.05).max() == 0.05]
    assert reached == list(range(OneCycle().least_steps(), 40)) == list(range(3, 40))
    assert WarmUp(k=2, then=OneCycle()).least_steps() == 3
    assert ConstantRate().least_steps() == 1


def test_one_cycle_lowers_the_momentum_while_the_rate_is_high():
    cycle = OneCycle(momentum=0.85)
    found = momenta(cycle, 430, 25)
    assert found[[0, 4837, 9674, 10749]] == pytest.approx([0.95, 0.85, 0.95, 0.95], rel=1e-12)
    assert found[2418] == pytest.approx(0.95 - 0.1 * 2418 / 4837, rel=1e-12)
    assert (found[9674:] == 0.95).all()
    assert cycle.moves_momentum()
    assert not OneCycle().moves_momentum()
    assert (momenta(OneCycle(), 430, 25) == 0.95).all()


def test_warm_up_rises_linearly_to_the_rate_of_the_next_schedule():
    found = whole(WarmUp(k=4), 3, 3)
    assert found == pytest.approx([0.025, 0.05, 0.075, *[0.1] * 6])
    after = WarmUp(k=4, then=Exponential(s=6.0, per="step"))
    expected = whole(after.then, 3, 3) * np.minimum(np.arange(1, 10) / 4, 1)
    assert whole(after, 3, 3) == pytest.approx(expected)
    cycle = OneCycle(momentum=0.85)
    np.testing.assert_array_equal(momenta(WarmUp(k=2, then=cycle), 20, 3), momenta(cycle, 20, 3))
    assert WarmUp(k=2, then=cycle).moves_momentum()


def test_a_range_test_grows_by_one_factor_from_the_least_rate_towards_the_highest():
    """The notebook: rate * exp(log(10 / 1e-5) / n) after each of n batches."""
    found = whole(RangeTest(highest=10.0), 430, 1, rate=1e-5)
    factor = np.exp(np.log(10 / 1e-5) / 430)
    assert found[0] == 1e-5
    assert found[1:] / found[:-1] == pytest.approx(np.full(429, factor), rel=1e-12)
    assert found[-1] * factor == pytest.approx(10, rel=1e-12)
    np.testing.assert_allclose(whole(RangeTest(), 43, 10, rate=1e-5), found, rtol=1e-12)


@pytest.mark.parametrize(
    "schedule",
    [
        *(ConstantRate(), Power(), Exponential(), ExponentialDecay(), Performance(), OneCycle()),
        *(WarmUp(k=2), RangeTest(), Piecewise(boundaries=(1,), later=(0.1,))),
    ],
    ids=lambda schedule: schedule.name,
)
def test_every_lane_has_a_row_of_its_own(schedule):
    found = rates(schedule)
    assert found.shape == (LANES, 4)
    found[0] = 7  # writing one lane must not write the others
    assert (found[1:] < 7).all()
