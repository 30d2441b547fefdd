"""A report: the same every time, whole, safe, and honest about what is missing."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import matplotlib as mpl
import pandas as pd
import pytest
import synthetic
from conftest import OVER_ALL
from synthetic import SMALL, World

from manyseeds.errors import RequestError, RunError
from manyseeds.presentation.wording import metric_unit
from manyseeds.report import claims_table, render, summary_table, variance_table
from manyseeds.report.figures.forest import forest_figure

WORLD = World(text=SMALL, curves=False)


class Elements(HTMLParser):
    """Collects start tags, identifiers, links and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.words = Counter(), Counter(), [], []
        self.scripts, self.unread = [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.unread = tag in ("script", "style")
        if tag == "script":
            self.scripts.append(dict(attrs).get("type"))
        for name, value in attrs:
            if name == "id":
                self.ids[value] += 1
            if name in ("src", "href", "xlink:href", "action"):
                self.links.append(value)

    def handle_endtag(self, tag):
        self.unread = self.unread and tag not in ("script", "style")

    def handle_data(self, data):
        if not self.unread:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def without(*seeds, status=None):
    """Return a change that loses the treatment's rows of some seeds, or gives them a status."""

    def change(key):
        if key.recipe != "one_rate" or key.seed not in seeds:
            return {}
        lost = {"status": status, "reason": "it broke", "test_accuracy": None}
        return lost if status else None

    return change


def test_a_report_is_a_page_a_markdown_its_figures_and_its_tables(small):
    names = set(contents(small[0]))
    assert {"small.html", "small.md", "small/summary.csv", "small/claims.csv"} <= names
    assert {
        f"{name}.{kind}" for name in ("index", "techniques") for kind in ("html", "md", "csv")
    } <= names
    figures = {"better-paired", "better-distribution", "better-confession", "recipes", "curves"}
    assert {f"small/{f}.{kind}" for f in figures for kind in ("svg", "png")} <= names


def test_the_same_ledger_gives_the_same_bytes_wherever_it_lies(small, tmp_path):
    ledger = synthetic.write(tmp_path / "elsewhere" / "deep", World(text=SMALL))
    render([ledger], tmp_path / "another place")
    first, second = contents(small[0]), contents(tmp_path / "another place")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_page_needs_nothing_else_and_no_two_parts_share_an_identifier(small):
    page = Elements((small[0] / "small.html").read_text(encoding="utf-8"))
    outside = [link for link in page.links if not link.startswith(("#", "small/", "data:"))]
    assert outside == ["index.html"]
    assert page.tags["link"] == 0
    shared = {name for name, count in page.ids.items() if count > 1}
    assert shared == set()
    anchors = [link[1:] for link in page.links if link.startswith("#")]
    assert [anchor for anchor in anchors if anchor not in page.ids] == []


@pytest.mark.parametrize("name", ["small", "index"])
def test_every_link_of_the_markdown_is_there(small, name):
    text = (small[0] / f"{name}.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert len(links) > 2
    assert [link for link in links if not (small[0] / link).is_file()] == []


def test_a_rehearsal_in_markdown_shows_no_figure_of_a_claim(several):
    full, quick = (several / f"{name}.md" for name in ("small", "other-quick"))
    assert "(small/better-paired.svg)" in full.read_text(encoding="utf-8")
    assert "paired.svg" not in quick.read_text(encoding="utf-8")
    assert "better-paired" in quick.with_suffix(".html").read_text(encoding="utf-8")


def test_the_provenance_in_markdown_is_a_list_of_lists(small):
    text = (small[0] / "small.md").read_text(encoding="utf-8")
    listed = text[text.index("## Provenance") :]
    for lines in (
        "* cpu\n  * cores: 2\n  * name: An Example CPU\n",
        "    * switches\n      * deterministic: yes\n      * tf32: no\n    * threads: 2\n",
    ):
        assert lines in f"{listed}\n"


def test_drawings_carry_no_date_and_no_place(small):
    for path in small[0].rglob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "dc:date" not in text
        assert "Matplotlib" not in text
        assert str(small[0]) not in text


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    rows = [{"name": "a", "backend": "all", "improvement": 0.1, "low": 0.0, "high": 0.2}]
    forest_figure(
        [("one", pd.DataFrame(rows))],
        "name",
        metric_unit("test_accuracy"),
        0.01,
        "forest",
        "Forest",
    )
    assert dict(mpl.rcParams) == before
    assert mpl.pyplot.get_fignums() == []


def test_the_csv_is_the_public_table(small):
    out, ledger = small
    for name, table in (("summary", summary_table), ("claims", claims_table)):
        frame = table([ledger]).drop(columns=["suite", "form"])
        written = StringIO((out / "small" / f"{name}.csv").read_text(encoding="utf-8"))
        shown = pd.read_csv(written, keep_default_na=False, na_values=[""], dtype={"case": str})
        shown["case"] = shown["case"].fillna("")
        pd.testing.assert_frame_equal(shown, frame, check_dtype=False, rtol=1e-8)


def test_a_complete_run_has_no_banner(small):
    assert "incomplete" not in Elements((small[0] / "small.html").read_text("utf-8")).text


def test_missing_and_failed_rows_raise_a_banner_and_stay_in_the_table(rendered, tmp_path):
    failed, missing = without(2, 3, status="failed"), without(4)

    def change(key):
        return missing(key) if key.seed == 4 else failed(key)

    page = Elements(rendered(replace(WORLD, change=change)))
    assert "This table is incomplete" in page.text
    assert "75 of 84 promised rows were delivered: 6 failed and 3 missing" in page.text
    assert "one_rate in JAX: 2 failed and 1 missing (it broke)" in page.text
    assert "3 of 12 promised pairs could not be used" in page.text
    assert "incomplete" in (tmp_path / "out" / "small.md").read_text(encoding="utf-8")


def test_a_run_that_stopped_before_a_backend_came_makes_a_page(rendered):
    def change(key):
        return None if key.backend == "pytorch" else {}

    page = Elements(rendered(replace(WORLD, change=change)))
    assert "28 missing" in page.text


def test_divergence_that_a_recipe_expects_is_no_gap(rendered):
    text = SMALL.replace('name = "one_rate"\n', 'name = "one_rate"\nexpect_divergence = true\n')
    world = replace(WORLD, text=text, change=without(*range(12), status="diverged"))
    page = Elements(rendered(world))
    assert "incomplete" not in page.text
    assert "In 12 pairs a training diverged, which counts as guessing" in page.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            without(*range(12), status="diverged"),
            "which counts as guessing. No pair is left without",
        ),
        (without(*range(12)), "there is nothing to judge"),
        (
            lambda key: {"test_accuracy": 0.9},
            "one_rate and scratch have the same mean test accuracy",
        ),
        (lambda key: {"test_accuracy": 1.0 if key.recipe == "one_rate" else 0.9}, "no error at"),
    ],
    ids=["all diverged", "all missing", "ties", "no errors"],
)
def test_degenerate_results_make_a_page(rendered, change, said):
    assert said in Elements(rendered(replace(WORLD, change=change))).text


def test_one_seed_makes_a_page_without_a_verdict(rendered):
    text = SMALL.replace("seeds = 12\nlanes = 6\nsolo = 2", "seeds = 1\nlanes = 1")
    page = Elements(rendered(replace(WORLD, text=text)))
    assert "one seed: no interval" in page.text
    assert "? inconclusive" in page.text


def test_an_empty_ledger_makes_a_page_of_missing_rows(rendered):
    page = Elements(rendered(replace(WORLD, change=lambda key: None)))
    assert "0 of 84 promised rows were delivered: 84 missing" in page.text


HOSTILE = '<script>alert(1)</script>"|`x`\\n[a](javascript:b)'


def test_hostile_texts_cannot_inject_markup(rendered, tmp_path):
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    text = SMALL.replace("A small suite", quoted).replace("A larger rate is better.", quoted)
    text = text.replace("Two recipes, one claim.", quoted).replace('"printed"', f'"{quoted}"')
    page = Elements(rendered(replace(WORLD, text=text, backends=("<b>jax",))))
    assert page.scripts == ["application/json", None]  # the slider's data, and the page's own
    assert page.tags["b"] == 0
    assert HOSTILE in page.text
    for name in OVER_ALL:
        over_all = Elements((tmp_path / "out" / f"{name}.html").read_text(encoding="utf-8"))
        assert over_all.scripts == [None]
        assert over_all.tags["b"] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"results", "out"}
    (markdown,) = (p for p in (tmp_path / "out").glob("*.md") if p.stem not in OVER_ALL)
    written = markdown.read_text(encoding="utf-8")
    assert "<script" not in written
    assert not re.search(r"(?<!\\)\]\(javascript", written)
    widths = {line.count("|") - line.count("\\|") for line in _summary_table(written)}
    assert len(widths) == 1


def _summary_table(text):
    return re.search(r"\n(\| Recipe +\|.*?)\n\n", text, re.DOTALL)[1].splitlines()


def test_runs_of_other_backends_are_joined(rendered):
    worlds = [replace(WORLD, run=b, backends=(b,)) for b in ("pytorch", "jax")]
    page = Elements(rendered(*worlds))
    assert "averaged over JAX and PyTorch" in page.text
    assert "jax, pytorch" in page.text


def test_the_last_record_of_a_row_in_two_runs_counts_whatever_its_status(tmp_path):
    good = replace(WORLD, run="a", backends=("jax",))
    bad = replace(good, run="b", change=without(0, status="failed"))
    empty = replace(good, run="c", change=lambda key: None)
    ledgers = [synthetic.write(tmp_path, world) for world in (empty, bad, good)]
    table = summary_table(ledgers).set_index("recipe")
    assert table.loc["one_rate", ["promised", "ok", "failed", "missing"]].tolist() == [12, 11, 1, 0]


def test_an_amended_suite_is_listed_with_what_changed_and_not_joined(rendered):
    first = replace(WORLD, run="a", backends=("jax",))
    amended = SMALL.replace("least_effect = 0.01", "least_effect = 0.005")
    last = replace(first, run="b", text=amended, backends=("pytorch",))
    page = Elements(rendered(first, last))
    assert "claims[better].least_effect: 0.01 → 0.005" in page.text
    assert " in PyTorch, one_rate" in page.text


def test_settings_that_differ_keep_runs_apart(rendered):
    first = replace(WORLD, run="a", backends=("jax",), settings={"device": "cuda"})
    last = replace(WORLD, run="b", backends=("pytorch",))
    page = Elements(rendered(first, last))
    assert "device: cuda, here cpu" in page.text
    assert " in PyTorch, one_rate" in page.text


def test_a_quick_run_never_replaces_a_full_one_and_has_a_page_of_its_own(tmp_path):
    text = SMALL + "[quick]\nseeds = 6\n"
    full = replace(WORLD, text=text, run="a", backends=("jax",))
    worlds = [full, replace(full, run="b", quick=True)]
    ledgers = [synthetic.write(tmp_path / "results", world) for world in worlds]
    pages = {page.stem: page for page in render(ledgers, tmp_path / "out", formats=["html"]).pages}
    assert set(pages) == {"index", "techniques", "small", "small-quick"}
    told = {name: Elements(page.read_text(encoding="utf-8")).text for name, page in pages.items()}
    assert "small, full protocol" in told["small"]
    assert "small, quick form" in told["small-quick"]
    assert "quick form" in told["small"]  # among the runs of the suite
    forms = summary_table(ledgers)[["suite", "form"]].drop_duplicates()
    assert forms.to_numpy().tolist() == [["small", "full protocol"], ["small", "quick form"]]


def test_every_suite_has_a_page_of_its_own(tmp_path):
    other = SMALL.replace('name = "small"', 'name = "other"')
    worlds = [replace(WORLD, backends=("jax",)), World(text=other, run="b", backends=("jax",))]
    ledgers = [synthetic.write(tmp_path / "results", world) for world in worlds]
    pages = render(ledgers, tmp_path / "out", formats=["md"]).pages
    found = [page.name for page in pages]
    assert found == ["index.md", "techniques.md", "other.md", "small.md"]
    assert claims_table(ledgers)["suite"].unique().tolist() == ["other", "small"]
    assert variance_table(ledgers).empty


def test_a_suite_about_loss_has_a_page(rendered):
    text = SMALL.replace("solo = 2", 'solo = 2\nprimary = "test_loss"')
    text = text.replace("least_effect", 'metric = "test_loss"\nleast_effect')
    text = re.sub(r"references = \[.*\]\n", "", text, flags=re.DOTALL)

    def change(key):
        return {"test_loss": 0.3 + 0.01 * key.seed - 0.05 * (key.recipe == "one_rate")}

    page = Elements(rendered(replace(WORLD, text=text, change=change)))
    assert "one_rate lowered test loss by 0.0500 against scratch" in page.text
    assert "✓ holds" in page.text


def test_the_message_of_a_wrong_request_names_the_remedy(small, tmp_path):
    with pytest.raises(RequestError, match="manyseeds run"):
        render([], tmp_path)
    with pytest.raises(RequestError, match="Did you mean 'html'"):
        render([small[1]], tmp_path, formats=["htm"])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot write the report"):
        render([small[1]], tmp_path / "file")
