"""The time layer: known ratios are recovered, and undecided ones are reported as such."""

import math
import os
from dataclasses import replace

import numpy as np
import psutil
import pytest
from scipy import stats

from manyseeds.check.baseline import Baseline, BaselineEntry
from manyseeds.check.rows import Row
from manyseeds.check.timing.comparison import compare
from manyseeds.check.timing.normalisation import normalised
from manyseeds.check.timing.ratios import TimedSides, can_decide, processes_to_settle
from manyseeds.check.timing.workloads import MEMORY, WORKLOADS
from manyseeds.errors import RunError
from manyseeds.processes.host import idle_cores

PROCESSES, ROUNDS = 6, 20
CONTEXT = {
    "versions": {"jax": "1", "numpy": "2.0"},
    "device": "a processor",
    "machine": {"processor": "a processor", "cores": 2},
    "threads": 1,
    "clock": "cpu",
    "programs": "kept",
    "question": "q",
}


def drawn(rng, typical=1.0, between=0.02, within=0.08, processes=PROCESSES, rounds=ROUNDS):
    """Log-normal samples with a spread between processes and within."""
    apart = between * rng.standard_normal((processes, 1))
    return typical * np.exp(apart + within * rng.standard_normal((processes, rounds)))


def entry(samples, subject="adam step", **context):
    arrays = {"samples": samples, "cpu": samples / 1e3, "yardstick": np.full_like(samples, 1e-3)}
    return BaselineEntry(Row("time", "jax", subject), CONTEXT | context, arrays)


@pytest.fixture
def baseline(tmp_path):
    def of(*entries):
        kept = Baseline(tmp_path)
        kept.accept(entries, "for a test")
        return kept

    return of


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def only(result):
    (finding,) = result.findings
    return finding


def test_resampled_processes_scatter_as_theory_has_it(rng):
    """The mean of n resampled values has the variance Σ (x - x̄)² / n² (Efron and Tibshirani 1993).

    Of processes; what their preparations scatter is in what they measure.
    """
    now, then = (drawn(rng, between=0.1, within=1e-9) for _ in range(2))
    expected = sum(np.log(side[:, 0]).var() / PROCESSES for side in (now, then))
    assert TimedSides.of(now, then).drawn.var() == pytest.approx(expected, rel=0.05)
    noisy = (side * drawn(rng, between=0, within=0.3) for side in (now, then))
    found = TimedSides.of(*noisy, (8, 8))
    own = [side.mean(axis=1) for side in (found.prepared, found.prepared_then)]
    assert found.prepared.shape == (PROCESSES, 8)
    assert found.drawn.var() == pytest.approx(sum(x.var() / PROCESSES for x in own), rel=0.05)


@pytest.mark.parametrize("times", [0.5, 1.0, 1.3])
def test_a_known_ratio_is_found(rng, times):
    found = TimedSides.of(drawn(rng, times, processes=40), drawn(rng, processes=40)).ratio(0.95)
    assert found.value == pytest.approx(times, rel=0.02)
    assert found.low < found.value < found.high


def test_the_interval_covers_the_ratio_as_often_as_it_says(rng):
    trials, covered = 150, 0
    for _ in range(trials):
        found = TimedSides.of(drawn(rng, 1.2, processes=5), drawn(rng, processes=5)).ratio(0.9)
        covered += found.low < 1.2 < found.high
    assert stats.binomtest(covered, trials, 0.9, alternative="less").pvalue > 0.01


@pytest.mark.parametrize("between", [0.0, 0.02])
def test_preparations_are_units_and_processes_are_not_forgotten(rng, between):
    """Covers as often as it says where preparations alone differ, and where processes do too."""
    trials, covered, widths = 150, 0, []
    for _ in range(trials):
        sides = [
            drawn(rng, 1.2 if now else 1.0, between, 0.0, processes=6 if now else 12, rounds=40)
            * np.repeat(np.exp(0.05 * rng.standard_normal((6 if now else 12, 8))), 5, axis=1)
            for now in (True, False)
        ]
        found = TimedSides.of(*sides, (8, 8)).ratio(0.9)
        covered += found.low < 1.2 < found.high
        widths.append(math.log(found.high / found.low))
    assert stats.binomtest(covered, trials, 0.9, alternative="less").pvalue > 0.01
    expected = 2 * 1.66 * math.sqrt((0.05**2 / 8 + between**2) * (1 / 6 + 1 / 12))
    assert np.median(widths) == pytest.approx(expected, rel=0.25)


def test_rounds_do_not_stand_for_processes(rng):
    """The interval of two sets that differ by process alone is that of their medians."""
    now, then = (drawn(rng, within=1e-9, rounds=200) for _ in range(2))
    found = TimedSides.of(now, then).ratio(0.95)
    medians = [np.log(side[:, 0]) for side in (now, then)]
    student = stats.ttest_ind(*medians, equal_var=False).confidence_interval(0.95)
    assert math.log(found.low) <= student.low + 1e-6
    assert math.log(found.high) >= student.high - 1e-6


def test_the_same_version_is_unchanged(rng, baseline):
    kept = baseline(entry(drawn(rng, between=0.005)))
    finding = only(compare([entry(drawn(rng, between=0.005))], kept))
    assert (finding.state, finding.direction, finding.fails) == ("unchanged", "", False)
    assert finding.size == pytest.approx(1, abs=0.05)


def test_the_same_version_hardly_ever_has_changed(rng, baseline):
    """With a spread between processes that is as large as a busy machine's."""
    trials = 10
    subjects = [f"s{number}" for number in range(10)]
    kept = baseline(*(entry(drawn(rng, between=0.05), s) for s in subjects))
    changed = 0
    for _ in range(trials):
        found = compare([entry(drawn(rng, between=0.05), s) for s in subjects], kept).findings
        changed += sum(each.state == "changed" for each in found)
    assert changed <= 0.01 * trials * len(subjects)


@pytest.mark.parametrize(
    ("times", "direction"), [(1.15, "worse"), (1.3, "worse"), (1 / 1.15, "better"), (0.7, "better")]
)
def test_a_change_is_found_in_either_direction(rng, baseline, times, direction):
    quiet = {"between": 0.005, "within": 0.02}
    subjects = list(WORKLOADS)
    kept = baseline(*(entry(drawn(rng, **quiet), s) for s in subjects))
    found = compare([entry(drawn(rng, times, **quiet), s) for s in subjects], kept).findings
    assert {(each.state, each.direction, each.fails) for each in found} == {
        ("changed", direction, True)
    }
    assert all(each.size == pytest.approx(times, rel=0.03) for each in found)


def test_thirty_per_cent_is_found_on_a_busy_machine(rng, baseline):
    subjects = [f"s{number}" for number in range(45)]
    kept = baseline(*(entry(drawn(rng), s) for s in subjects))
    found = compare([entry(drawn(rng, 1.3), s) for s in subjects], kept).findings
    assert np.mean([each.state == "changed" for each in found]) > 0.9


def test_less_than_the_floor_is_no_change(rng, baseline):
    kept = baseline(entry(drawn(rng, between=1e-4, within=1e-3)))
    now = entry(drawn(rng, 1.08, between=1e-4, within=1e-3))
    assert only(compare([now], kept)).state == "unchanged"
    assert only(compare([now], kept, floor=0.05)).state == "changed"


def test_a_change_at_the_floor_is_undecided_and_says_how_many_processes_it_takes(rng, baseline):
    kept = baseline(entry(drawn(rng)))
    finding = only(compare([entry(drawn(rng, 1.12))], kept))
    assert finding.state == "cannot tell"
    assert "processes each" in finding.message


def test_the_recommended_number_of_processes_is_enough(rng):
    found = TimedSides.of(drawn(rng, 1.25), drawn(rng)).ratio(0.999)
    needed = processes_to_settle(found, 0.1, 0.999)
    assert 2 < needed < 100
    settled = 0
    for _ in range(40):
        sides = (drawn(rng, t, found.sd, 1e-6, int(needed), 2) for t in (found.value, 1.0))
        settled += TimedSides.of(*sides).ratio(0.999).low > 1.1
    assert settled > 0.6 * 40


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_few_processes_never_pass_for_unchanged(rng, baseline, processes):
    """However alike they are: among 45 comparisons no resample is rare enough."""
    subjects = [f"s{number}" for number in range(45)]
    quiet = {"between": 1e-5, "within": 1e-5, "processes": processes}
    kept = baseline(*(entry(drawn(rng, **quiet), s) for s in subjects))
    found = compare([entry(drawn(rng, 2.0, **quiet), s) for s in subjects], kept).findings
    assert {each.state for each in found} == {"cannot tell"}
    assert all("take 4 each" in each.message for each in found)


def test_enough_processes_are_those_whose_most_extreme_resample_is_rare_enough(rng):
    """Count the resamples of two sides that have one process only, the largest and the least."""
    count, draws = 3, 200_000
    largest = (rng.integers(0, count, (draws, 2 * count)) == 0).all(axis=1).mean()
    level = 0.995
    assert can_decide(count, count, level) == (largest <= (1 - level) / 2)
    assert not can_decide(count, count, 0.999)
    assert can_decide(count + 1, count + 1, 0.999)


def test_a_machine_three_times_as_slow_is_no_change(rng, baseline):
    """The yardstick is, too: what is compared is the ratio."""

    def answered(slower):
        rng = np.random.default_rng(3)
        yardstick = 2e-3 * slower * drawn(rng, processes=6, rounds=40)
        own = 1.7 * yardstick[:, 1:-1:2] * drawn(rng, rounds=19, within=0.01)
        before, after = yardstick[:, 0:-2:2], yardstick[:, 2::2]
        return entry(own / np.sqrt(before * after))

    finding = only(compare([answered(3.0)], baseline(answered(1.0))))
    assert finding.state == "unchanged"
    assert finding.size == pytest.approx(1)


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ({"machine": {"processor": "another", "cores": 2}}, "processor another"),
        ({"machine": {"processor": "a processor", "cores": 8}}, "cores 8"),
        ({"device": "a GPU"}, "a GPU now"),
        ({"threads": 4}, "4 now"),
    ],
)
def test_other_conditions_are_not_compared_but_shown(rng, baseline, context, told):
    result = compare([entry(drawn(rng, 2.0), **context)], baseline(entry(drawn(rng))))
    finding = only(result)
    assert (finding.state, finding.fails) == ("not comparable", False)
    assert told in finding.message
    assert "baseline --accept --layer time" in result.notes[0]
    assert finding.size == pytest.approx(2, rel=0.05)
    assert finding.low < finding.size < finding.high


def test_another_processor_is_named_once(rng, baseline):
    other = {"device": "another", "machine": {"processor": "another", "cores": 2}}
    finding = only(compare([entry(drawn(rng), **other)], baseline(entry(drawn(rng)))))
    told = "another machine: processor a processor then, processor another now"
    assert finding.message == told


def test_a_baseline_of_another_workload_fails(rng, baseline):
    finding = only(compare([entry(drawn(rng), question="r")], baseline(entry(drawn(rng)))))
    assert (finding.state, finding.fails) == ("not comparable", True)


def test_a_row_without_a_baseline_is_missing(rng, baseline):
    found = compare([entry(drawn(rng)), entry(drawn(rng), "new")], baseline(entry(drawn(rng))))
    assert [(each.subject, each.state, each.fails) for each in found.findings[1:]] == [
        ("new", "missing", True)
    ]
    assert found.comparisons == 1


def test_a_row_that_is_not_measured_now_is_missing(rng, baseline):
    kept = baseline(entry(drawn(rng)), entry(drawn(rng), "old"))
    old = compare([entry(drawn(rng))], kept).findings[1]
    assert (old.subject, old.state, old.fails) == ("old", "missing", True)


def test_a_row_that_fails_now_is_missing_and_says_why(rng, baseline):
    broken = BaselineEntry(
        Row("time", "jax", "adam step"), CONTEXT | {"failed": "TypeError: no"}, {}
    )
    finding = only(compare([broken], baseline(entry(drawn(rng)))))
    assert (finding.state, finding.fails) == ("missing", True)
    assert "TypeError: no" in finding.message


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_samples_that_are_not_durations_are_refused(rng, baseline, wrong):
    samples = drawn(rng)
    samples[2, 3] = wrong
    with pytest.raises(RunError, match=r"adam step.*now.*round 3 of process 2"):
        compare([entry(samples)], baseline(entry(drawn(rng))))
    with pytest.raises(RunError, match=r"\[processes, rounds\]"):
        compare([entry(samples[0])], baseline())


def test_another_numpy_is_named_as_a_cause(rng, baseline):
    now = entry(drawn(rng, 2.0), versions={"jax": "1", "numpy": "2.1"})
    assert "numpy 2.0 → 2.1" in only(compare([now], baseline(entry(drawn(rng))))).reason


@pytest.mark.parametrize("busy", ["then", "now"])
def test_seconds_of_a_busy_machine_are_not_compared(rng, baseline, busy):
    """Who shares a core finds its caches emptied; memory is as much as ever."""
    load = {"then": {}, "now": {}} | {busy: {"waited": 0.4}}
    then, now = (
        [entry(drawn(rng, times), s, **load[when]) for s in ("adam step", MEMORY)]
        for when, times in (("then", 1.0), ("now", 1.5))
    )
    step, memory = compare(now, baseline(*then)).findings
    assert (step.state, step.fails) == ("not comparable", False)
    assert {"then": "40% of the time then", "now": "and 40% now"}[busy] in step.message
    assert "idle machine" in step.message
    assert memory.state == "changed"


def test_measurements_are_normalised_with_the_weights_of_the_baseline(rng, baseline):
    """A subject that follows the second part alone: memory is 40 % slower now, products are not."""

    def measured(slower, weights):
        moved = 0.2 * rng.standard_normal((2, PROCESSES, ROUNDS))
        parts = np.exp(moved.transpose(1, 2, 0)) * [1.0, slower]
        own = parts[..., 1] * drawn(rng, between=0.001, within=0.001)
        arrays = {"cpu": own, "yardstick": parts, "weights": np.array(weights)}
        arrays["samples"] = normalised(own, parts, arrays["weights"])
        return replace(entry(own), arrays=arrays)

    kept = baseline(measured(1.0, [0.0, 1.0]))
    finding = only(compare([measured(1.4, [1.0, 0.0])], kept))
    assert finding.state == "unchanged"
    assert finding.size == pytest.approx(1, abs=0.01)


def test_a_busy_core_is_not_idle(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    for used, idle in (([3, 5, 2, 1], 4), ([99, 97, 2, 1], 2), ([100, 100, 100, 100], 1)):
        monkeypatch.setattr(psutil, "cpu_percent", lambda *_, used=used, **__: used)
        assert idle_cores() == idle
