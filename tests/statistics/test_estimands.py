"""The pairs of each kind of claim, against closed forms, SciPy and counting by hand."""

import numpy as np
import pytest
from scipy import stats

from manyseeds.errors import RequestError
from manyseeds.statistics import claims_table
from manyseeds.statistics.estimands import claim_pairs
from manyseeds.suite.claims import ESTIMANDS

CLAIM = """
[[claims]]
name = "asked"
sentence = "It is so."
"""
TWO = 'treatment = "new"\nbaseline = "old"\n'


@pytest.fixture
def asked(suite, records, pooled):
    """Return the row over all backends of a claim about scores of `new` and `old`."""

    def ask(claim, old, new, curves=None, more="", pick=pooled, **cells):
        found = suite(more=more + CLAIM + claim)
        backends = cells or {"jax": (old, new)}
        table = records(
            {
                (name, "5-6", backend): values
                for backend, pair in backends.items()
                for name, values in zip(("old", "new"), pair, strict=True)
            }
        )
        return pick(claims_table(table, found, curves=curves), claim="asked")

    return ask


def noisy(mean, sd, n, seed):
    return list(np.random.default_rng(seed).normal(mean, sd, n))


# ---------------------------------------------------------------- ratio


RATIO = 'estimand = "ratio"\nleast_effect = 1.5\n' + TWO


def test_a_ratio_is_that_of_the_mean_errors_on_a_logarithmic_scale(asked):
    old, new = noisy(0.90, 0.01, 30, 1), noisy(0.95, 0.01, 30, 2)
    row = asked(RATIO, old, new)
    assert row["improvement"] == pytest.approx(np.log((1 - np.mean(old)) / (1 - np.mean(new))))
    assert row["least_effect"] == pytest.approx(np.log(1.5))
    assert row["verdict"] == "holds"


def test_a_ratios_interval_is_about_scipys_bca(asked):
    old, new = noisy(0.90, 0.02, 25, 3), noisy(0.95, 0.01, 25, 4)
    row = asked(RATIO, old, new)

    def log_ratio(baseline, treatment, axis):
        return np.log(np.mean(1 - baseline, axis)) - np.log(np.mean(1 - treatment, axis))

    theirs = stats.bootstrap(
        (np.array(old), np.array(new)), log_ratio, paired=True, n_resamples=10_000,
        method="BCa", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    width = theirs.high - theirs.low
    assert row["low"] == pytest.approx(theirs.low, abs=0.08 * width)
    assert row["high"] == pytest.approx(theirs.high, abs=0.08 * width)


def test_a_seed_without_errors_is_no_infinite_ratio(asked):
    row = asked(RATIO, [0.9] * 8, [1.0] * 4 + [0.9, 0.95, 0.96, 0.97])
    assert np.isfinite([row["improvement"], row["low"], row["high"]]).all()
    nothing = asked(RATIO, [0.9] * 8, [1.0] * 8)
    assert nothing["improvement"] == np.inf
    assert nothing["verdict"] == "holds"


# ---------------------------------------------------------------- probability of improvement


CHANCE = 'estimand = "probability_of_improvement"\nleast_effect = 0.1\n' + TWO


def test_the_probability_of_improvement_counts_ties_half(asked):
    row = asked(CHANCE, [0.9, 0.9, 0.9, 0.9], [0.8, 0.9, 0.95, 0.95])
    assert row["improvement"] == pytest.approx(2.5 / 4 - 0.5)


def test_its_interval_is_scipys_exact_one(asked):
    old, new = [0.9] * 30, [0.95] * 25 + [0.8] * 5
    row = asked(CHANCE, old, new)
    exact = stats.binomtest(25, 30).proportion_ci(method="exact")
    assert (row["low"] + 0.5, row["high"] + 0.5) == pytest.approx((exact.low, exact.high))
    assert row["verdict"] == "holds"


def test_backends_share_a_seed(asked):
    better, worse = [0.9] * 10, [0.8] * 10
    one = asked(CHANCE, None, None, jax=(worse, better))
    both = asked(CHANCE, None, None, jax=(worse, better), pytorch=(worse, better))
    split = asked(CHANCE, None, None, jax=(worse, better), pytorch=(better, worse))
    assert (both["low"], both["high"]) == (one["low"], one["high"])
    assert split["improvement"] == 0


# ---------------------------------------------------------------- equivalence


def test_an_equivalence_holds_where_the_difference_is_small(asked):
    claim = 'estimand = "equivalence"\nleast_effect = MARGIN\n' + TWO
    old = noisy(0.9, 0.01, 40, 5)
    new = list(np.array(old) + noisy(0, 0.001, 40, 6))
    verdicts = [
        asked(claim.replace("MARGIN", str(margin)), old, new)["verdict"]
        for margin in (0.01, 0.0002)
    ]
    assert verdicts == ["holds", "inconclusive"]
    far = list(np.array(new) + 0.05)
    assert asked(claim.replace("MARGIN", "0.01"), old, far)["verdict"] == "reversed"


# ---------------------------------------------------------------- ordering


THIRD = '[[recipes]]\nname = "newest"\nphases = [{ use = "p", rate = 3e-3 }]\n'
ORDER = 'estimand = "ordering"\nrecipes = ["newest", "new", "old"]\nleast_effect = 0.5\n'


@pytest.fixture
def ordered(suite, records, pooled):
    def ask(old, new, newest, metric="test_accuracy"):
        cells = {"old": old, "new": new, "newest": newest}
        table = records({(n, "5-6", "jax"): v for n, v in cells.items()}, metric=metric)
        claim = CLAIM + ORDER + f'metric = "{metric}"\n'
        return pooled(claims_table(table, suite(metric=metric, more=THIRD + claim)), claim="asked")

    return ask


def test_an_ordering_is_kendalls_tau_of_each_seed(ordered):
    values = np.random.default_rng(7).normal([0.90, 0.91, 0.92], 0.01, (12, 3))
    row = ordered(*(list(column) for column in values.T))
    taus = [stats.kendalltau([0, 1, 2], seed).statistic for seed in values]
    assert row["improvement"] == pytest.approx(np.mean(taus))
    whole = np.mean([tau == pytest.approx(1) for tau in taus])
    assert row["full_order"] == pytest.approx(whole)
    assert row["full_order_low"] < whole < row["full_order_high"]


def test_of_losses_the_smaller_is_the_better(ordered):
    down = ordered([0.3] * 6, [0.2] * 6, [0.1] * 6, metric="test_loss")
    assert (down["improvement"], down["full_order"]) == (1, 1)
    assert down["verdict"] == "holds"
    up = ordered([0.1] * 6, [0.2] * 6, [0.3] * 6, metric="test_loss")
    assert (up["improvement"], up["verdict"]) == (-1, "reversed")


def test_a_tie_is_no_order(ordered):
    row = ordered([0.9] * 6, [0.9] * 6, [0.95] * 6)
    assert row["improvement"] == pytest.approx(2 / 3)
    assert row["full_order"] == 0


# ---------------------------------------------------------------- threshold


def test_a_threshold_is_a_one_sample_difference(asked):
    claim = 'estimand = "threshold"\nrecipe = "new"\nthreshold = 0.9\nleast_effect = 0.01\n'
    new = noisy(0.93, 0.01, 30, 8)
    row = asked(claim, new, new)
    theirs = stats.ttest_1samp(np.array(new) - 0.9, 0).confidence_interval()
    assert row["improvement"] == pytest.approx(np.mean(new) - 0.9)
    assert (row["low"], row["high"]) == pytest.approx((theirs.low, theirs.high), abs=1e-3)
    assert row["verdict"] == "holds"


# ---------------------------------------------------------------- divergence


def test_divergence_drops_no_row_and_is_counted_separately(asked):
    old = ["diverged"] * 3 + [0.9] * 7
    row = asked("least_effect = 0.01\n" + TWO, old, [0.95] * 10)
    assert (row["pairs"], row["lost"], row["diverged"]) == (10, 0, 3)
    assert row["improvement"] == pytest.approx(0.3 * 0.45 + 0.7 * 0.05)
    assert (row["trained_pairs"], row["trained_improvement"]) == (7, pytest.approx(0.05))


def test_a_pair_that_ended_well_without_a_value_is_lost_and_counted(records, suite, pooled):
    found = suite(
        more=CLAIM + 'estimand = "share"\nmetric = "dead_share"\nleast_effect = 0.1\n' + TWO
    )
    cells = {("old", "5-6", "jax"): [0.5] * 8, ("new", "5-6", "jax"): [0.1] * 7 + ["failed"]}
    table = records(cells, metric="dead_share")
    table.loc[(table["recipe"] == "old") & (table["seed"] < 3), "dead_share"] = np.nan
    row = pooled(claims_table(table, found), claim="asked")
    assert (row["pairs"], row["lost"], row["without_value"]) == (4, 4, 3)
    assert row["improvement"] == pytest.approx(0.4)


def test_a_loss_counts_as_that_of_equal_probabilities(suite, records, pooled):
    cells = {("old", "5-6", "jax"): ["diverged"] * 6, ("new", "5-6", "jax"): [0.1] * 6}
    row = pooled(claims_table(records(cells, metric="test_loss"), suite(metric="test_loss")))
    assert row["baseline_mean"] == pytest.approx(np.log(2))
    assert np.isnan(row["trained_improvement"])
    assert row["trained_pairs"] == 0


# ---------------------------------------------------------------- suites


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ('estimand = "differance"\nleast_effect = 0.1\n' + TWO, "estimand 'differance'"),
        ('estimand = "ratio"\nleast_effect = 0.5\n' + TWO, "claims[1].least_effect"),
        ('estimand = "ordering"\nrecipes = ["new", "old"]\nleast_effect = 0.1\n', "recipes"),
        (ORDER.replace('"newest"', '"new"'), "twice"),
        ('estimand = "share"\nleast_effect = 0.1\n' + TWO, "claims[1].metric"),
        ('estimand = "threshold"\nrecipe = "nwe"\nthreshold = 1.0\nleast_effect = 0.1\n', "nwe"),
        ('estimand = "time_to_target"\ntarget = 80\nleast_effect = 0.1\n' + TWO, "target"),
    ],
)
def test_the_message_names_the_fault_of_a_claim(suite, claim, told):
    with pytest.raises(RequestError) as refused:
        suite(more=CLAIM + claim)
    assert told in str(refused.value)
    assert "s.toml" in str(refused.value)


def test_every_estimand_has_its_pairs(suite, records):
    assert set(ESTIMANDS) == {
        "difference", "calibration", "share", "ratio", "probability_of_improvement",
        "equivalence", "ordering", "threshold", "time_to_target",
    }  # fmt: skip
    found = claim_pairs(records({("old", "5-6", "jax"): [0.9]}), suite())
    assert set(found) == {"better"}
