"""The slider's data: the sentence at each k, infinite factors, and the amount of data."""

import json

import numpy as np
import pandas as pd

from manyseeds.presentation.wording import claim_unit
from manyseeds.report.content.best_of_slider import HEIGHT, WIDTH, cherry_rows, picker
from manyseeds.statistics import best_of
from manyseeds.suite.claims import Difference

SHOWN = claim_unit(
    Difference(name="n", sentence="s", treatment="a", baseline="b", least_effect=0.01)
)


def curves(improvements, factors, backends=("jax",)):
    parts = [
        best_of(values).assign(claim="n", backend=backend, quantity=quantity)
        for backend in (*backends, "all")
        for quantity, values in (("improvement", improvements), ("factor", factors))
    ]
    return pd.concat(parts, ignore_index=True)


def test_one_seed_reports_the_mean_and_all_seeds_the_best():
    found = picker(curves([0.0, 0.01, 0.05], [1.0, 2.0, 6.0]), SHOWN)
    (series,) = found.series  # of one backend: that of all is the same
    assert series["name"] == "JAX"
    assert [point[0] for point in series["points"]] == [1, 2, 3]
    assert "one reports +2.00 points on average" in series["points"][0][-1]
    assert "an error divided by 3.00" in series["points"][0][-1]
    assert "With 3 tries, a cherry-picker reports +5.00 points" in series["points"][-1][-1]
    assert found.sentences == (series["points"][0][-1], series["points"][-1][-1])


def test_the_curve_lies_in_its_frame_and_rises():
    values = np.random.default_rng(0).normal(size=40)
    found = picker(curves(values, np.exp(values), ("jax", "pytorch")), SHOWN)
    assert [one["name"] for one in found.series] == ["all, by seed", "JAX", "PyTorch"]
    places = np.array([point[1:5] for point in found.series[0]["points"]])
    assert places.min() >= 0
    assert places[:, 0].max() <= WIDTH
    assert places[:, 1:].max() <= HEIGHT
    assert (np.diff(places[:, 1]) <= 0).all()  # upwards on a screen


def test_an_infinite_mean_factor_is_replaced_by_the_median_and_no_infinity_reaches_the_page():
    found = picker(curves([0.0, 0.01, 0.02], [1.0, 2.0, np.inf]), SHOWN)
    assert "divided by 2.00, in the median search" in found.series[0]["points"][0][-1]
    assert json.dumps(found.series, allow_nan=False)
    assert picker(curves([np.inf, np.inf], [2.0, 3.0]), SHOWN) is None
    assert picker(curves([], []), SHOWN) is None


def test_a_long_curve_adds_little_to_a_page_and_keeps_its_ends():
    values = np.random.default_rng(0).normal(size=3000)
    found = picker(curves(values, values), SHOWN)
    points = found.series[0]["points"]
    assert len(points) <= 120
    assert (points[0][0], points[-1][0], found.last) == (1, 3000, 3000)


def test_a_factor_that_no_try_reaches_has_an_open_interval():
    columns = ["claim", "backend", "figure", "tries", "reached", "k", "low", "high"]
    rows = [
        ("n", "all", 2.0, 10, 0.5, 1.0, 1.0, 3.2),
        ("n", "all", 4.0, 10, 0.0, np.inf, 1.9, np.inf),
    ]
    found = cherry_rows(pd.DataFrame(rows, columns=columns))
    assert [(row.needed, row.interval) for row in found] == [("1", "1 to 4"), ("∞", "2 or more")]
    assert cherry_rows(pd.DataFrame(columns=columns)) == ()
