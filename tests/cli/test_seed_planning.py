"""`manyseeds plan`: seeds needed before a run."""

import math
import shlex

import pytest
from scipy import stats


@pytest.fixture
def asked(manyseeds, tiny, results):
    def ask(*arguments, suite=None):
        return manyseeds("plan", suite or tiny(), "--results", results, *arguments)

    return ask


@pytest.fixture
def results(tmp_path):
    return tmp_path / "my results"


def test_the_seeds_are_those_of_a_paired_t_test(asked):
    answer = asked("--detect", "0.02", "--sd", "0.03", "--json")
    assert answer.status == 0
    (row,) = answer.json["rows"]
    n = row["seeds_for_sign"]
    from statsmodels.stats.power import TTestPower

    wanted = TTestPower().solve_power(effect_size=0.02 / 0.03, alpha=0.05, power=0.8)
    assert n == math.ceil(wanted)
    power = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, 0.02 / 0.03 * math.sqrt(n))
    assert power == pytest.approx(0.8, abs=0.03)
    assert row["seeds_to_hold"] > n  # the least effect is 0.01


def test_an_effect_within_the_least_effect_never_holds(asked):
    (row,) = asked("--detect", "0.005", "--sd", "0.03", "--json").json["rows"]
    assert row["seeds_to_hold"] is None
    assert row["seeds_for_sign"] > 100


def test_the_spread_is_that_of_the_latest_run(asked, manyseeds, tiny, results):
    suite = tiny()
    assert manyseeds("run", suite, "--backend", "numpy", "--results", results).status == 0
    answer = asked("--detect", "0.02", "--json", suite=suite)
    assert answer.status == 0
    (row,) = answer.json["rows"]
    assert row["sd"] > 0
    assert any("tiny-" in note for note in answer.json["notes"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--detect", "0.02"), "holds no run of 'tiny'"),
        (("--detect", "0"), "--detect 0"),
        (("--detect", "inf", "--sd", "1"), "--detect inf"),
        (("--detect", "nan", "--sd", "1"), "--detect nan"),
        (("--detect", "0.1", "--sd", "inf"), "--sd inf"),
        (("--detect", "0.1", "--sd", "-1"), "--sd -1"),
        (("--detect", "0.1", "--sd", "1", "--power", "1"), "--power 1"),
        (("--detect", "0.1", "--sd", "1", "--quick"), "has no [quick] form"),
    ],
)
def test_what_is_wrong_is_told(asked, arguments, told):
    answer = asked(*arguments)
    assert answer.status == 2
    assert told in answer.err


def test_the_command_that_trains_a_few_seeds_first_is_ready_for_a_shell(asked, tiny, results):
    suite = tiny(name="my tiny.toml")
    answer = asked("--detect", "0.02", suite=suite)
    assert answer.status == 2
    words = shlex.split(answer.err.split("train a few seeds first: ")[1])
    expected = ["run", str(suite), "--seeds", "10", "--results", str(results)]
    assert words == ["manyseeds", *expected]
