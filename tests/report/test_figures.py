"""Figures: everything is drawn and named, nothing covers anything else, hostile names are text."""

import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from manyseeds.presentation import theme
from manyseeds.presentation.wording import metric_unit
from manyseeds.report.figures.all_claims import claims_figure
from manyseeds.report.figures.confession import confession_figure, headline_column, pooled_rows
from manyseeds.report.figures.label_placement import LabelPlacer
from manyseeds.report.figures.layers import layers_figure
from manyseeds.report.figures.profile import profile_figure
from manyseeds.report.figures.raincloud import raincloud_figure
from manyseeds.report.figures.specification import specification_figure
from manyseeds.report.figures.tradeoff import pareto, tradeoff_figure
from manyseeds.statistics import cherries_table, confession_table, published_table
from manyseeds.suite.claims import Difference, Ratio

ACCURACY = metric_unit("test_accuracy")
BACKENDS = ("jax", "pytorch", "tensorflow")
HOSTILE = r"<script>$\frac{--></svg>"


def words(drawn):
    """Return the texts of a drawing: matplotlib writes them as comments beside the letters."""
    return [text.strip() for text in re.findall(r"<!--(.*?)-->", drawn.svg.decode(), re.DOTALL)]


def scores(recipes, seeds, spread=0.01):
    generator = np.random.default_rng(0)
    columns = pd.MultiIndex.from_product([recipes, BACKENDS], names=["recipe", "backend"])
    return pd.DataFrame(
        0.9 + spread * generator.normal(size=(seeds, len(columns))), columns=columns
    )


def lost(recipes, diverged=0):
    row = {"promised": 12, "diverged": diverged, "lost": 0}
    return pd.DataFrame([row] * len(recipes), index=recipes)


def points(recipes):
    generator = np.random.default_rng(1)
    rows = [
        {"recipe": name, "backend": backend, "score": 0.9 + 0.05 * generator.random()}
        for name in recipes
        for backend in BACKENDS
    ]
    table = pd.DataFrame(rows)
    table["seconds"] = generator.lognormal(size=len(table))
    return table.assign(low=table["score"] - 0.01, high=table["score"] + 0.01)


def specifications(count):
    generator = np.random.default_rng(2)
    improvement = np.sort(0.05 * generator.normal(size=count))
    return pd.DataFrame({
        "rank": np.arange(1, count + 1),
        "recipe": [f"recipe_{number // 9}" for number in range(count)],
        "baseline": "scratch",
        "case": [("", "5-6", "7-9")[number // 3 % 3] for number in range(count)],
        "backend": [BACKENDS[number % 3] for number in range(count)],
        "pairs": 5,
        "improvement": improvement,
        "low": improvement - 0.02,
        "high": improvement + 0.02,
        "rate": [("0.1", "0.01")[number // 9 % 2] for number in range(count)],
    })  # fmt: skip


def claim(name, **more):
    named = Difference(
        name="c", sentence="S", treatment="b", baseline="a", least_effect=0.01, **more
    )
    return named.model_copy(update={"name": name})  # unchecked: figures rely on no rule for names


def verdicts(claims, improvements, pairs=12):
    rows = [
        {
            "claim": one.name, "case": "", "backend": backend, "pairs": pairs,
            "improvement": by, "low": by - 0.01, "high": by + 0.01,
            "family_low": by - 0.02, "family_high": by + 0.02,
            "least_effect": 0.01, "verdict": "holds" if by > 0.03 else "inconclusive",
        }
        for one, by in zip(claims, improvements, strict=True)
        for backend in (*BACKENDS, "all")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def every_figure(name):
    """Return each new figure with this name in every place that takes one."""
    recipes = [name, *(f"recipe_{number}" for number in range(6))]
    claims = [claim(name), claim("other")]
    costs = pd.DataFrame(np.random.default_rng(3).random((30, 7)), columns=recipes)
    table = specifications(36).replace({"recipe": {"recipe_1": name}})
    return {
        "rainclouds": lambda: raincloud_figure(
            scores(recipes, 12), lost(recipes, 2), recipes, ACCURACY, "f"
        ),
        "claims": lambda: claims_figure(claims, verdicts(claims, [0.05, 0.01]), "f"),
        "specification": lambda: specification_figure(table, ACCURACY, "f"),
        "profile": lambda: profile_figure(costs, recipes, ACCURACY, "f"),
        "tradeoff": lambda: tradeoff_figure(points(recipes), ACCURACY, solo=True, name="f"),
        "numbered": lambda: tradeoff_figure(
            points([*recipes, "x", "y"]), ACCURACY, solo=False, name="f"
        ),
    }


FIGURES = tuple(every_figure("x"))


@pytest.mark.parametrize("figure", FIGURES)
def test_no_text_leaves_the_figure(monkeypatch, figure):
    found = []
    original = theme.rendered

    def spy(drawing, *rest):
        made = original(drawing, *rest)
        hidden = set(_hidden(drawing))
        texts = [text for text in drawing.findobj(Text) if text not in hidden and text.get_text()]
        found.extend((text.get_text(), text.get_window_extent()) for text in texts)
        found.append(("figure", drawing.bbox))
        return made

    monkeypatch.setattr(theme, "rendered", spy)
    every_figure("a_recipe_with_a_rather_long_name")[figure]()
    *texts, (_, whole_figure) = found
    assert len(texts) > 10
    slack = 2.0
    outside = [
        text for text, box in texts
        if box.x0 < whole_figure.x0 - slack or box.x1 > whole_figure.x1 + slack
        or box.y0 < whole_figure.y0 - slack or box.y1 > whole_figure.y1 + slack
    ]  # fmt: skip
    assert outside == []


def _hidden(drawing):
    """Yield the labels of ticks that are not drawn: those beyond the limits."""
    for axis in (axis for axes in drawing.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


@pytest.mark.parametrize("figure", FIGURES)
def test_hostile_names_are_text(figure):
    drawn = every_figure(HOSTILE)[figure]()
    text = drawn.svg.decode()
    assert "<script" not in text
    assert text.count("</svg>") == 1
    assert any("frac" in word for word in words(drawn))


@pytest.mark.parametrize("figure", FIGURES)
def test_the_same_table_gives_the_same_files(figure):
    make = every_figure("x")[figure]
    assert make() == make()


def test_coordinates_have_two_decimals():
    drawn = every_figure("x")["rainclouds"]()
    paths = re.findall(r'\sd="([^"]*)"', drawn.svg.decode())
    assert len(paths) > 50
    assert not any(re.search(r"\.\d{3}", path) for path in paths)


def test_more_seeds_are_no_more_elements():
    few, many = (
        raincloud_figure(scores(["a", "b"], seeds), lost(["a", "b"]), ["a", "b"], ACCURACY, "f")
        for seeds in (30, 140)
    )
    elements = [drawn.svg.count(b"<path") + drawn.svg.count(b"<use") for drawn in (few, many)]
    assert abs(elements[1] - elements[0]) < 40  # other ticks; there are 660 more dots


@pytest.mark.parametrize("seeds", [1, 2, 12])
def test_rainclouds_of_few_tied_and_no_scores(seeds):
    table = scores(["few", "tied", "none"], seeds)
    table["tied"] = 0.5
    table["none"] = np.nan
    drawn = raincloud_figure(
        table, lost(table.columns.levels[0], 3), ["few", "tied"], ACCURACY, "f"
    )
    assert "3 diverged of 12" in words(drawn)
    assert (
        "kernel density"
        in raincloud_figure(scores(["a"], 12), lost(["a"]), ["a"], ACCURACY, "f").caption
    )
    assert ("kernel density" in drawn.caption) == (seeds >= 10)


def test_every_claim_is_there_with_its_verdict():
    claims = [claim("one"), claim("two"), claim("three")]
    table = verdicts(claims, [0.05, 0.01, 0.02])
    table.loc[table["claim"] == "three", ["pairs", "improvement", "low", "high"]] = [
        0,
        *[np.nan] * 3,
    ]
    text = words(claims_figure(claims, table, "f"))
    assert text.count("holds") == 4 + 1  # and the key
    assert text.count("inconclusive") == 4 + 1
    assert text.count("no pairs") == 4
    assert {"one", "two", "three"} <= set(text)


def test_claims_of_another_unit_and_those_that_dwarf_the_others_have_a_panel_of_their_own():
    claims = [claim(name) for name in "abcd"]
    label = "Improvement of test accuracy, points"
    assert (
        words(claims_figure(claims, verdicts(claims, [0.01, 0.02, 0.02, 0.03]), "f")).count(label)
        == 1
    )
    table = verdicts(claims, [0.01, 0.02, 0.02, 0.7])
    assert words(claims_figure(claims, table, "f")).count(label) == 2
    ratio = Ratio(
        name="e", sentence="S", estimand="ratio", treatment="b", baseline="a", least_effect=2
    )
    text = words(claims_figure([*claims, ratio], verdicts([*claims, ratio], [0.02] * 5), "f"))
    assert text.count(label) == 1
    assert "Ratio of errors: how many times smaller" in text


def test_one_backend_is_drawn_once():
    claims = [claim("one")]
    table = verdicts(claims, [0.05])
    text = words(claims_figure(claims, table[table["backend"].isin(["jax", "all"])], "f"))
    assert "JAX" in text
    assert "all, by seed" not in text


def test_135_specifications_do_not_overlap():
    drawn = specification_figure(specifications(135), ACCURACY, "f")
    width = max(float(w) for w in re.findall(r"stroke-width: ([\d.]+)", drawn.svg.decode()))
    assert "135 columns" in drawn.caption
    marks = re.findall(
        r'd="([^"]*)"[^>]*stroke-width: ([\d.]+)[^>]*stroke-linecap: round', drawn.svg.decode()
    )
    dots = [(path, float(size)) for path, size in marks if path.count("M") > 5]
    starts = np.sort([
        float(x) for path, _ in dots for x in re.findall(r"M ([\d.]+)", path)
    ])  # fmt: skip
    assert len(starts) == 135
    assert np.diff(starts).min() > max(size for _, size in dots)
    assert width < 6


def test_recipes_are_listed_if_the_choices_do_not_distinguish_them():
    table = specifications(36)
    assert "recipe_3" in words(specification_figure(table, ACCURACY, "f"))
    table["rate"] = table["recipe"].str.removeprefix("recipe_")
    assert "recipe_3" not in words(specification_figure(table, ACCURACY, "f"))


def test_the_profile_orders_recipes_by_how_often_they_are_best():
    costs = pd.DataFrame({"a": [1, 1, 1, 2.0], "b": [2, 2, 2, 1.0], "c": [np.inf, 3, 3, 3]})
    text = words(profile_figure(costs, ["c", "b", "a"], ACCURACY, "f"))
    assert [word for word in text if word in "abc"] == ["a", "b", "c"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_on_the_front_nothing_is_better_in_less_time(found):
    costs, gains = np.array(found, float).T
    on = pareto(costs, gains)
    for place, (cost, gain) in enumerate(found):
        beaten = any(c <= cost and g >= gain and (c < cost or g > gain) for c, g in found)
        assert on[place] == (not beaten)


def test_labels_overlap_neither_each_other_nor_the_points():
    figure = Figure(figsize=(7, 4), dpi=144)
    axes = figure.add_axes((0.1, 0.1, 0.85, 0.85))
    places = np.random.default_rng(4).random((60, 2))
    labels = LabelPlacer(axes, places, 7.5)
    own = np.eye(20, dtype=bool).repeat(3, axis=1)
    assert all(labels.place(str(number), own[number]) for number in range(20))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 20
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    points_there = axes.transData.transform(places)
    assert not any(box.contains(x, y) for box in boxes for x, y in points_there)


def test_many_recipes_are_numbered_and_listed():
    names = [f"name_{number}" for number in range(45)]
    text = words(tradeoff_figure(points(names), ACCURACY, solo=True, name="f"))
    assert set(names) <= set(text)
    assert text.count("17") == 2  # at its point and in the list


def test_the_caption_says_whether_seconds_are_solo_or_shared():
    for solo, said in ((True, "one network trained alone"), (False, "a seed's share")):
        drawn = tradeoff_figure(points(["a", "b"]), ACCURACY, solo=solo, name="f")
        assert said in drawn.caption


def layer_rows(recipe, quantity, epochs):
    return [
        {
            "recipe": recipe, "case": "", "backend": "jax", "quantity": quantity, "phase": "p",
            "epoch": epoch, "depth": depth, "layer": f"hidden{depth}", "seeds": 3,
            "median": 0.1 * depth, "low": 0.0, "high": 1.0,
        }
        for epoch in epochs
        for depth in (1, 2, 3)
    ]  # fmt: skip


def test_a_quantity_that_a_recipe_lacks_is_said_to_be_missing():
    rows = [*layer_rows("a", "dead", [0, 3]), *layer_rows("a", "output_sd", [0, 3])]
    whole_text = words(layers_figure(pd.DataFrame(rows), ["a"], "f"))
    assert "not recorded" not in whole_text
    rows += layer_rows("b", "dead", [0, 3])
    text = words(layers_figure(pd.DataFrame(rows), ["a", "b"], "f"))
    assert text.count("not recorded") == 1
    assert text.count("Layer") == 2


def test_layers_before_training_are_dotted_unless_nothing_was_trained():
    trained = pd.DataFrame([*layer_rows("a", "dead", [0, 3]), *layer_rows("b", "dead", [0])])
    assert "before training" in words(layers_figure(trained, ["a", "b"], "f"))
    untrained = pd.DataFrame(layer_rows("a", "dead", [0]))
    assert "before training" not in words(layers_figure(untrained, ["a"], "f"))


@pytest.fixture(scope="module")
def confession(tmp_path_factory):
    """Return the claim of a small run, and its tables."""
    folder = tmp_path_factory.mktemp("confession")
    world = synthetic.World(text=synthetic.SMALL, curves=False)
    records, suite = synthetic.write(folder, world).records(), world.suite
    tables = (
        table(records, suite) for table in (confession_table, published_table, cherries_table)
    )
    return suite.claims[0], *tables


def test_the_confession_shows_the_k_that_gives_a_factor_a_50_per_cent_chance(confession):
    one, curves, published, cherries = confession
    text = words(confession_figure(one, curves, published, cherries, "f"))
    rows = pooled_rows(cherries).set_index("figure")
    assert set(rows["tries"]) == {36}
    for figure in (2.0, 3.0, 4.0):
        k = rows.loc[figure, "k"]
        said = [word for word in text if word.startswith(f"{figure:g}×")]
        if np.isfinite(k):
            assert len(said) == 1
            assert f"k = {int(np.ceil(k))}" in said[0]
        else:
            assert said == []


def test_a_factor_that_no_try_reaches_is_said_to_be_so(confession):
    one, curves, published, cherries = confession
    never = cherries.assign(k=np.inf, low=np.inf, high=np.inf)
    text = words(confession_figure(one, curves, published, never, "f"))
    assert any("none of 36" in word for word in text)
    assert not any(word.startswith("2×") for word in text)


def test_factors_are_summarised_by_the_median(confession):
    _, curves, *_ = confession
    assert headline_column(curves[curves["quantity"] == "factor"]) == "median"
    assert headline_column(curves[curves["quantity"] == "improvement"]) == "expected"
